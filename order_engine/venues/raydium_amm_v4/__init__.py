"""Raydium's first constant-product pools (AMM v4), once tied to an order book."""
