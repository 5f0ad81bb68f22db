"""Every statement that writes orders. Each takes many rows as one JSON array, and costs one round trip."""

from typing import Final

from sqlalchemy import text

CREATE: Final = text("""
    WITH placed AS (
        INSERT INTO orders (order_id, owner, request_id, client_order_id, fingerprint, order_type, token_in, token_out,
            swap_mode, amount_in, amount_out, slippage_bps, guards, max_attempts, status, sequence, attempt,
            create_time, update_time, next_attempt_at)
        SELECT order_id, owner, request_id, client_order_id, decode(fingerprint, 'hex'), order_type, token_in,
            token_out, swap_mode, amount_in, amount_out, slippage_bps, guards, max_attempts, 'pending', 1, 0,
            moment, moment, moment
        FROM jsonb_to_recordset(CAST(:items AS jsonb)) AS item (
            order_id uuid, owner text, request_id text, client_order_id text, fingerprint text, order_type text,
            token_in text, token_out text, swap_mode text, amount_in numeric, amount_out numeric,
            slippage_bps integer, guards jsonb, max_attempts integer),
            (SELECT clock_timestamp() AS moment) AS clock
        ORDER BY owner, request_id, order_id
        ON CONFLICT DO NOTHING
        RETURNING order_id, create_time
    ), first_event AS (
        INSERT INTO order_events (order_id, sequence, event_id, status, attempt, event_time, kind, detail)
        SELECT order_id, 1, order_id, 'pending', 0, create_time, 'OrderPlaced', '{}' FROM placed
    )
    SELECT order_id, create_time FROM placed
""")

KNOWN: Final = text("""
    WITH item AS (
        SELECT * FROM jsonb_to_recordset(CAST(:items AS jsonb)) AS i (order_id uuid, owner text, request_id text)
    )
    SELECT item.order_id AS asked_id, orders.*
    FROM item JOIN orders ON orders.owner = item.owner AND orders.request_id = item.request_id
    WHERE item.request_id <> '' AND orders.request_id <> ''
    UNION ALL
    SELECT item.order_id, orders.* FROM item JOIN orders ON orders.order_id = item.order_id WHERE item.request_id = ''
""")

# The clock is read after the row is locked: no event is older than the one before it.
LOCK: Final = text("""
    WITH locked AS MATERIALIZED (
        SELECT order_id, sequence FROM orders WHERE order_id = ANY(CAST(:order_ids AS uuid[]))
        ORDER BY order_id FOR NO KEY UPDATE
    )
    SELECT order_id, sequence, clock_timestamp() AS moment FROM locked
""")

STORED_EVENTS: Final = text("""
    SELECT event_id, order_id, sequence, event_time FROM order_events WHERE event_id = ANY(CAST(:event_ids AS uuid[]))
""")

RECORD_TRANSACTIONS: Final = text("""
    INSERT INTO transactions (order_id, attempt, signature, raw, last_valid_block_height)
    SELECT order_id, attempt, signature, decode(raw, 'hex'), last_valid_block_height
    FROM jsonb_to_recordset(CAST(:items AS jsonb)) AS item (
        order_id uuid, attempt integer, signature text, raw text, last_valid_block_height numeric)
""")

RESOLVE_TRANSACTIONS: Final = text("""
    UPDATE transactions AS t SET outcome = item.outcome, slot = item.slot, error = item.error,
        fee_lamports = item.fee_lamports, resolved_at = item.event_time
    FROM jsonb_to_recordset(CAST(:items AS jsonb)) AS item (
        order_id uuid, signature text, outcome text, slot numeric, error text, fee_lamports numeric,
        event_time timestamptz)
    WHERE t.order_id = item.order_id AND t.signature = item.signature
""")

# An order in flight keeps its claim; one that got there unclaimed may be taken over at once.
ADVANCE: Final = text("""
    WITH item AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(CAST(:items AS jsonb)) AS i (
            order_id uuid, sequence bigint, status text, attempt integer, event_time timestamptz, in_flight boolean,
            route jsonb, fill jsonb, failure jsonb, signature text, last_valid_block_height numeric,
            cancel_requested boolean, next_attempt_at timestamptz, claimed_by uuid, claimed_until timestamptz,
            event_id uuid, kind text, detail jsonb)
    ), advanced AS (
        UPDATE orders AS o SET sequence = item.sequence, status = item.status, attempt = item.attempt,
            update_time = item.event_time, route = coalesce(item.route, o.route), fill = item.fill,
            failure = item.failure, signature = item.signature,
            last_valid_block_height = item.last_valid_block_height, cancel_requested = item.cancel_requested,
            next_attempt_at = item.next_attempt_at,
            claimed_by = CASE WHEN item.in_flight THEN coalesce(item.claimed_by, o.claimed_by) END,
            claim_protocol = CASE WHEN item.claimed_by IS NOT NULL THEN 2 END,
            claimed_until = CASE WHEN item.in_flight
                THEN coalesce(item.claimed_until, o.claimed_until, item.event_time) END,
            takeovers = CASE WHEN item.status IN ('submitted', 'pending') THEN 0 ELSE o.takeovers END
        FROM item WHERE o.order_id = item.order_id AND o.sequence = item.sequence - 1
        RETURNING o.order_id, item.sequence, item.event_id, item.status, item.attempt, item.event_time, item.kind,
            item.detail, o.owner, o.create_time
    ), begun AS (
        INSERT INTO attempts (order_id, number, started_at)
        SELECT order_id, attempt, event_time FROM advanced WHERE kind = 'AttemptStarted'
    ), explained AS (
        UPDATE attempts SET failure = coalesce(advanced.detail -> 'failure', attempts.failure),
            candidates = coalesce(nullif(advanced.detail -> 'candidates', '[]'), attempts.candidates)
        FROM advanced WHERE attempts.order_id = advanced.order_id AND attempts.number = advanced.attempt
            AND advanced.kind IN ('RouteChosen', 'AttemptFailed', 'OrderFailed')
    ), routed AS (
        INSERT INTO order_venues (owner, venue, create_time, order_id)
        SELECT DISTINCT owner, leg ->> 'venue', create_time, order_id
        FROM advanced CROSS JOIN jsonb_array_elements(detail #> '{route,legs}') AS leg WHERE kind = 'RouteChosen'
        ON CONFLICT DO NOTHING
    )
    INSERT INTO order_events (order_id, sequence, event_id, status, attempt, event_time, kind, detail)
    SELECT order_id, sequence, event_id, status, attempt, event_time, kind, detail FROM advanced
""")

WRITE_POST_MORTEMS: Final = text("""
    INSERT INTO post_mortems (order_id, reason, message, report, created_at)
    SELECT order_id, failure ->> 'reason', failure ->> 'message', jsonb_build_object(
        'order_id', order_id, 'client_order_id', client_order_id, 'token_in', token_in, 'token_out', token_out,
        'swap_mode', swap_mode, 'amount_in', amount_in, 'amount_out', amount_out, 'slippage_bps', slippage_bps,
        'guards', guards, 'failure', failure,
        'attempts', (
            SELECT coalesce(jsonb_agg(jsonb_build_object('number', a.number, 'start_time', a.started_at,
                'candidates', a.candidates, 'failure', a.failure,
                'transaction', CASE WHEN t.signature IS NOT NULL THEN jsonb_build_object('signature', t.signature,
                    'last_valid_block_height', t.last_valid_block_height, 'outcome', t.outcome, 'slot', t.slot,
                    'error', t.error, 'fee_lamports', t.fee_lamports, 'resolve_time', t.resolved_at) END
                ) ORDER BY a.number), '[]')
            FROM attempts a LEFT JOIN transactions t ON t.order_id = a.order_id AND t.attempt = a.number
            WHERE a.order_id = orders.order_id),
        'timeline', (
            SELECT jsonb_agg(jsonb_build_object('sequence', e.sequence, 'event_time', e.event_time,
                'status', e.status, 'attempt', e.attempt, 'kind', e.kind, 'detail', e.detail - 'candidates')
                ORDER BY e.sequence)
            FROM order_events e WHERE e.order_id = orders.order_id)
        ), update_time
    FROM orders WHERE order_id = ANY(CAST(:order_ids AS uuid[]))
    ORDER BY order_id
""")
