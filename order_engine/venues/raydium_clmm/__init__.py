"""Raydium's concentrated-liquidity pools (CLMM)."""
