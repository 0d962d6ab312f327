"""How a Kafka cluster is set up, for `townsquare doctor`.

Box: queue.
"""

from townsquare.model.findings import Finding, fine, warning, wrong
from townsquare.queue.kafka_admin import Facts

_COPIES, _IN_SYNC = 3, 2
_LONG_TAKE_OVER_S = 60.0


def examine(facts: Facts) -> list[Finding]:
    """Copies, how many of them have a message before it is accepted, and how soon another worker takes over."""
    found = [_copies(facts)]
    if facts.replication > 1:
        found.append(_in_sync(facts))
    about = f"another worker takes over after {facts.take_over_s:.0f} s"
    late = facts.take_over_s > _LONG_TAKE_OVER_S
    found.append(
        warning("kafka take-over", f"{about}: lower group.consumer.session.timeout.ms")
        if late
        else fine("kafka take-over", about)
    )
    return found


def _copies(facts: Facts) -> Finding:
    check = "kafka copies"
    if not facts.replication:
        return fine(check, f"{facts.brokers} brokers; the topics are made when they are first used")
    about = f"{facts.replication} of each message on {facts.brokers} brokers, acks={facts.acks}"
    if facts.replication >= min(_COPIES, facts.brokers) and facts.brokers >= _COPIES:
        return fine(check, about)
    if facts.brokers >= _COPIES:
        return wrong(check, f"{about}: raise it to three by kafka-reassign-partitions")
    return warning(check, f"{about}: accepted work may be lost with a broker's machine; use three")


def _in_sync(facts: Facts) -> Finding:
    check = "kafka in sync"
    about = f"min.insync.replicas is {facts.min_insync}"
    if facts.min_insync < _IN_SYNC:
        return wrong(check, f"{about}: set it to 2, or what is accepted may be on one broker alone")
    if facts.min_insync >= facts.replication:
        return warning(
            check, f"{about} of {facts.replication}: nothing is accepted when one broker is away; set it to 2"
        )
    return fine(check, about)
