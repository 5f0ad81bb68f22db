"""Raydium's constant-product pools (CPMM)."""
