"""Guards: the database itself refuses every write that could lose an order or execute one twice.

They look at the facts, not at how a statement is phrased. What concerns one row is refused at once; what must agree
between tables is checked at commit. A refusal is a check_violation (23514).
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TRANSITIONS = (
    ("pending", "AttemptStarted", "routing"),
    ("pending", "CancelRequested", "cancelled"),
    ("routing", "RouteChosen", "building"),
    ("routing", "AttemptFailed", "pending"),
    ("routing", "OrderFailed", "failed"),
    ("routing", "CancelRequested", "cancelled"),
    ("building", "TransactionSigned", "submitted"),
    ("building", "AttemptFailed", "pending"),
    ("building", "OrderFailed", "failed"),
    ("building", "CancelRequested", "cancelled"),
    ("submitted", "TransactionConfirmed", "confirmed"),
    ("submitted", "AttemptFailed", "pending"),
    ("submitted", "OrderFailed", "failed"),
    ("submitted", "CancelRequested", "submitted"),
    ("submitted", "OrderCancelled", "cancelled"),
)

REFUSE = """
CREATE FUNCTION refuse(reason text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '%', reason USING ERRCODE = 'check_violation';
END $$
"""

APPEND_ONLY = """
CREATE FUNCTION guard_append_only() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM refuse(format('%s refused: %s keeps everything', TG_OP, TG_TABLE_NAME));
    RETURN NULL;
END $$
"""

NEW_ORDER = """
CREATE FUNCTION guard_new_order() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (NEW.status, NEW.sequence, NEW.attempt, NEW.takeovers, NEW.cancel_requested) <> ('pending', 1, 0, 0, false)
        OR num_nonnulls(NEW.route, NEW.fill, NEW.failure, NEW.signature) > 0
    THEN
        PERFORM refuse(format('order %s does not begin as a new order', NEW.order_id));
    END IF;
    RETURN NEW;
END $$
"""

# A change of version is a fact; without one, only the claim may change.
ORDER_CHANGE = """
CREATE FUNCTION guard_order_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    kept orders := NEW;
BEGIN
    IF NOT EXISTS (SELECT FROM transitions WHERE from_status = OLD.status) THEN
        PERFORM refuse(format('order %s has ended as %s', OLD.order_id, OLD.status));
    END IF;
    kept.claimed_by := OLD.claimed_by;
    kept.claimed_until := OLD.claimed_until;
    kept.takeovers := OLD.takeovers;
    IF kept IS NOT DISTINCT FROM OLD THEN
        RETURN NEW;
    END IF;
    IF (NEW.order_id, NEW.owner, NEW.request_id, NEW.client_order_id, NEW.fingerprint, NEW.order_type, NEW.token_in,
        NEW.token_out, NEW.amount_in, NEW.slippage_bps, NEW.max_attempts, NEW.create_time)
        IS DISTINCT FROM
       (OLD.order_id, OLD.owner, OLD.request_id, OLD.client_order_id, OLD.fingerprint, OLD.order_type, OLD.token_in,
        OLD.token_out, OLD.amount_in, OLD.slippage_bps, OLD.max_attempts, OLD.create_time)
    THEN
        PERFORM refuse(format('order %s: what was ordered never changes', OLD.order_id));
    END IF;
    IF NEW.sequence <> OLD.sequence + 1 THEN
        PERFORM refuse(format('order %s: sequence %s after %s', OLD.order_id, NEW.sequence, OLD.sequence));
    END IF;
    IF NOT EXISTS (SELECT FROM transitions WHERE from_status = OLD.status AND to_status = NEW.status) THEN
        PERFORM refuse(format('order %s: %s after %s', OLD.order_id, NEW.status, OLD.status));
    END IF;
    IF NEW.attempt <> OLD.attempt + (OLD.status = 'pending' AND NEW.status = 'routing')::integer THEN
        PERFORM refuse(format('order %s: attempt %s after %s', OLD.order_id, NEW.attempt, OLD.attempt));
    END IF;
    IF OLD.cancel_requested AND NOT NEW.cancel_requested THEN
        PERFORM refuse(format('order %s: a cancel is never taken back', OLD.order_id));
    END IF;
    PERFORM check_transactions(NEW);
    RETURN NEW;
END $$
"""

CHECK_TRANSACTIONS = """
CREATE FUNCTION check_transactions(o orders) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    live text[];
    landed text[];
BEGIN
    SELECT array_agg(signature) FILTER (WHERE outcome IS NULL),
           array_agg(signature) FILTER (WHERE outcome = 'landed')
        INTO live, landed FROM transactions WHERE order_id = o.order_id;
    IF o.status = 'submitted' AND live IS DISTINCT FROM ARRAY[o.signature] THEN
        PERFORM refuse(format('order %s: submitted without its recorded transaction', o.order_id));
    END IF;
    IF o.status <> 'submitted' AND live IS NOT NULL THEN
        PERFORM refuse(format('order %s: %s with an unresolved transaction', o.order_id, o.status));
    END IF;
    IF o.status = 'confirmed' AND landed IS DISTINCT FROM ARRAY[o.signature] THEN
        PERFORM refuse(format('order %s: confirmed without a landed transaction', o.order_id));
    END IF;
    IF o.status <> 'confirmed' AND landed IS NOT NULL THEN
        PERFORM refuse(format('order %s: %s with a landed transaction', o.order_id, o.status));
    END IF;
END $$
"""

EVENT = """
CREATE FUNCTION guard_event() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    before text;
BEGIN
    IF NOT EXISTS (SELECT FROM orders WHERE order_id = NEW.order_id
        AND (sequence, status, attempt, update_time) = (NEW.sequence, NEW.status, NEW.attempt, NEW.event_time))
    THEN
        PERFORM refuse(format('order %s: event %s is not its latest change', NEW.order_id, NEW.sequence));
    END IF;
    IF NEW.sequence = 1 AND NEW.kind = 'OrderPlaced' THEN
        RETURN NEW;
    END IF;
    SELECT status INTO before FROM order_events WHERE order_id = NEW.order_id AND sequence = NEW.sequence - 1;
    IF NOT EXISTS (SELECT FROM transitions
        WHERE from_status = before AND kind = NEW.kind AND to_status = NEW.status)
    THEN
        PERFORM refuse(format('order %s: %s makes %s after %s', NEW.order_id, NEW.kind, NEW.status,
            coalesce(before, 'nothing')));
    END IF;
    RETURN NEW;
END $$
"""

AGREES = """
CREATE FUNCTION check_order_agrees() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM order_events WHERE order_id = NEW.order_id
        AND (sequence, status, attempt, event_time) = (NEW.sequence, NEW.status, NEW.attempt, NEW.update_time))
    THEN
        PERFORM refuse(format('order %s: version %s has no event', NEW.order_id, NEW.sequence));
    END IF;
    IF NEW.status = 'routing' AND NOT EXISTS (SELECT FROM attempts
        WHERE (order_id, number, started_at) = (NEW.order_id, NEW.attempt, NEW.update_time))
    THEN
        PERFORM refuse(format('order %s: attempt %s is not recorded', NEW.order_id, NEW.attempt));
    END IF;
    IF NEW.status = 'failed' AND NOT EXISTS (SELECT FROM post_mortems WHERE order_id = NEW.order_id) THEN
        PERFORM refuse(format('order %s: failed without a post-mortem', NEW.order_id));
    END IF;
    RETURN NULL;
END $$
"""

TRANSACTION = """
CREATE FUNCTION guard_transaction() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    required text := CASE TG_OP WHEN 'INSERT' THEN 'building' ELSE 'submitted' END;
BEGIN
    PERFORM FROM orders WHERE order_id = NEW.order_id AND status = required AND attempt = NEW.attempt
        FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM refuse(format('order %s is not %s in attempt %s', NEW.order_id, required, NEW.attempt));
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.outcome IS NOT NULL THEN
            PERFORM refuse(format('transaction %s is recorded before its outcome', NEW.signature));
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.outcome IS NOT NULL THEN
        PERFORM refuse(format('transaction %s has its outcome', OLD.signature));
    END IF;
    IF (NEW.order_id, NEW.attempt, NEW.signature, NEW.raw, NEW.last_valid_block_height)
        IS DISTINCT FROM (OLD.order_id, OLD.attempt, OLD.signature, OLD.raw, OLD.last_valid_block_height)
    THEN
        PERFORM refuse(format('transaction %s: what was signed never changes', OLD.signature));
    END IF;
    RETURN NEW;
END $$
"""

TRANSACTION_AGREES = """
CREATE FUNCTION check_transaction_agrees() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    o orders;
BEGIN
    SELECT * INTO o FROM orders WHERE order_id = NEW.order_id;
    PERFORM check_transactions(o);
    RETURN NULL;
END $$
"""

ATTEMPT = """
CREATE FUNCTION guard_attempt() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (NEW.order_id, NEW.number, NEW.started_at) IS DISTINCT FROM (OLD.order_id, OLD.number, OLD.started_at) THEN
        PERFORM refuse(format('attempt %s of order %s: its start never changes', OLD.number, OLD.order_id));
    END IF;
    RETURN NEW;
END $$
"""

POST_MORTEM = """
CREATE FUNCTION guard_post_mortem() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM orders WHERE order_id = NEW.order_id AND status = 'failed') THEN
        PERFORM refuse(format('order %s has not failed', NEW.order_id));
    END IF;
    RETURN NEW;
END $$
"""

TRIGGERS = (
    "new_order BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION guard_new_order()",
    "order_change BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION guard_order_change()",
    "event BEFORE INSERT ON order_events FOR EACH ROW EXECUTE FUNCTION guard_event()",
    "event_kept BEFORE UPDATE ON order_events FOR EACH ROW EXECUTE FUNCTION guard_append_only()",
    "transaction BEFORE INSERT OR UPDATE ON transactions FOR EACH ROW EXECUTE FUNCTION guard_transaction()",
    "attempt BEFORE UPDATE ON attempts FOR EACH ROW EXECUTE FUNCTION guard_attempt()",
    "post_mortem BEFORE INSERT ON post_mortems FOR EACH ROW EXECUTE FUNCTION guard_post_mortem()",
    "post_mortem_kept BEFORE UPDATE ON post_mortems FOR EACH ROW EXECUTE FUNCTION guard_append_only()",
)
AT_COMMIT = (
    "order_agrees AFTER INSERT OR UPDATE OF sequence ON orders"
    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_order_agrees()",
    "transaction_agrees AFTER INSERT OR UPDATE ON transactions"
    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_transaction_agrees()",
)
KEPT_TABLES = ("orders", "order_events", "attempts", "transactions", "post_mortems")


def upgrade() -> None:
    op.execute(
        "CREATE TABLE transitions"
        " (from_status text, kind text, to_status text NOT NULL, PRIMARY KEY (from_status, kind))"
    )
    rows = ", ".join(str(row) for row in TRANSITIONS)
    op.execute(f"INSERT INTO transitions VALUES {rows}")  # noqa: S608 the constant above
    for function in (REFUSE, APPEND_ONLY, CHECK_TRANSACTIONS, NEW_ORDER, ORDER_CHANGE, EVENT, AGREES):
        op.execute(function)
    for function in (TRANSACTION, TRANSACTION_AGREES, ATTEMPT, POST_MORTEM):
        op.execute(function)
    for trigger in TRIGGERS:
        op.execute(f"CREATE TRIGGER {trigger}")
    for trigger in AT_COMMIT:
        op.execute(f"CREATE CONSTRAINT TRIGGER {trigger}")
    for table in KEPT_TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_delete BEFORE DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION guard_append_only()"
        )
