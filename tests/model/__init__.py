"""The order protocol as an executable model, searched exhaustively within small bounds.

Start at `words`: statuses, facts, the table of what may follow. Then the actors: `client`, `worker` (`claiming`,
`building`, `looking`) and `environment` (chain, time, Redis), over one `store` with its guards. `config` names every
bound, variant and mutant, `invariants` what must never be true; `search` and `liveness` look for it, `runs` says where.
`oracle` holds the engine's own use cases against the model, step by step.

A step is one transaction of the store, one call, or one thing that happens. Faults are unbounded: crashes of a worker
at any step, pauses beyond the lease, lost and duplicated hints, endpoints that fall behind, forks that are dropped.

Assumed, not checked: PostgreSQL is one atomic store; a confirmed block is never dropped (run `a confirmed fork drops`
shows what happens if one is); what an endpoint has finalized it keeps; a node is truthful about what it has seen.
Amounts, streams and the rate window are not in the model.
"""
