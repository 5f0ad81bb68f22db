"""The classic HTTP API, for clients written before there was a gRPC contract. Its bodies and sentences never change."""
