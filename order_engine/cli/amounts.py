"""Base units as a person writes them."""


def in_tokens(amount: int, decimals: int) -> str:
    """Return base units in whole tokens, exactly, with all decimals of the mint."""
    if decimals == 0:
        return str(amount)
    whole, part = divmod(amount, 10**decimals)
    return f"{whole}.{part:0{decimals}d}"
