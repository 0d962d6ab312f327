"""Every metric: name, kind, labels, meaning. Dashboards, rules and the documentation name only these.

Box: metrics. Source: Prometheus text format, version 0.0.4
"""

from enum import StrEnum

import msgspec


class Sort(StrEnum):
    """Prometheus's types."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Family(msgspec.Struct, frozen=True):
    """One metric. `shared`: about what all processes share, read once; others are told per role and process."""

    name: str
    sort: Sort
    labels: tuple[str, ...]
    about: str
    shared: bool = False


_C, _G, _H = Sort.COUNTER, Sort.GAUGE, Sort.HISTOGRAM
_REQUEST = ("area", "method")

FAMILIES: tuple[Family, ...] = (
    Family("townsquare_process_up", _G, (), "1 for a process that answers, 0 for one that lives and does not."),
    Family("townsquare_started_seconds", _G, (), "When the process began, Unix time."),
    Family("townsquare_http_requests_total", _C, (*_REQUEST, "status"), "Requests answered; status: 2xx to 5xx."),
    Family("townsquare_http_request_seconds", _H, _REQUEST, "From a request's head to its answer's, without sending."),
    Family("townsquare_streams_open", _G, (), "Connections of WebSocket and SSE that are open."),
    Family("townsquare_stream_events_waiting", _G, (), "Events heard that the streams have not been told of yet."),
    Family("townsquare_call_seconds", _H, ("box", "method"), "Calls of an engine: each is a round trip or a few."),
    Family("townsquare_call_errors_total", _C, ("box", "method"), "Calls of an engine that ended in an error."),
    Family("townsquare_calls_in_flight", _G, ("box",), "Calls of an engine that have begun and not ended."),
    Family("townsquare_cache_asked_total", _C, ("layer", "kind"), "Keys asked for; layer: process or server."),
    Family("townsquare_cache_missed_total", _C, ("layer", "kind"), "Keys of them that the layer did not have."),
    Family("townsquare_feed_pushes_total", _C, (), "Accounts whose home timeline a status was sent to."),
    Family("townsquare_feed_deliveries_total", _C, (), "Rings among them that took it: the fan-out's deliveries."),
    Family("townsquare_outbox_waiting", _G, (), "Acts whose tasks the queue does not have yet."),
    Family("townsquare_facts_dropped_total", _C, (), "Facts for the analytics that were noted and lost."),
    Family("townsquare_tasks_total", _C, ("lane", "outcome"), "Tasks: done, dropped, failed tries, retried, parked."),
    Family("townsquare_task_seconds", _H, ("lane",), "Calls of tasks' handlers."),
    Family("townsquare_scheduler_leads", _G, (), "1 for the worker process that does the periodic work."),
    Family("townsquare_pool_in_hand", _G, ("pool",), "Pieces of work that a pool of threads has or keeps waiting."),
    Family("townsquare_loop_lag_seconds", _H, (), "How late the event loop is, looked at four times a second."),
    Family("townsquare_resident_bytes", _G, (), "Memory in use."),
    Family("townsquare_cpu_seconds_total", _C, (), "Processor time used."),
    Family("townsquare_open_files", _G, (), "Open files and sockets."),
    Family("townsquare_open_files_most", _G, (), "How many may be open."),
    Family("townsquare_gc_collections_total", _C, ("generation",), "Times that the collector of circles ran."),
    Family("townsquare_queue_up", _G, (), "1 where the queue says what waits in it.", shared=True),
    Family("townsquare_queue_waiting", _G, ("lane",), "Messages that wait.", shared=True),
    Family("townsquare_queue_parked", _G, ("lane",), "Messages put aside for the operator.", shared=True),
    Family("townsquare_queue_oldest_seconds", _G, ("lane",), "Age of the oldest waiting message.", shared=True),
    Family("townsquare_store_up", _G, (), "1 where the store answers.", shared=True),
)
BY_NAME = {family.name: family for family in FAMILIES}
