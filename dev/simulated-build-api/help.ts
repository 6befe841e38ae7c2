/** The answer to `GET /`. */
export const HELP = `Simulated build API: stands in for the service that builds IAM roles. It builds nothing.

  POST /build              201 {"build_id"}; one build for each x-amzn-RequestId, however often it is sent
  GET  /build/{build_id}   200 {"build_id", "build_status", "can_retry", "message"?}

Both want the headers Authorization: jwt, Encrypted-Authorization, Content-Type: application/json,
Referer: .../proxy and x-amzn-RequestId. A build is undecided for one poll and succeeds at the second.

In the request: an object "simulate" in the body of POST /build, each key optional

  polls      undecided polls before the end; 1
  outcome    "SUCCEEDED", "FAILED" or "NEVER" (it never ends)
  message    goes with the last answer
  build_id   any JSON value, answered as it is
  trigger    array of faults: the nth is for the nth POST of this request ID; null is ordinary
  status     array of faults: the nth is for the nth GET of this build; null is ordinary

From outside; a fault queued here goes before one in the request

  PUT    /_simulator/faults     {"trigger": [...], "status": [...], "correlation_id": "..."} queues faults, behind
                                those that wait, for the next requests (of that request ID, where given)
  DELETE /_simulator/faults     forgets those that wait
  GET    /_simulator/requests   every request so far, all headers included; ?correlation_id=... for one request ID
  DELETE /_simulator/requests   forgets them
  GET    /_simulator/builds     the builds made: build_id, correlation_id, polls counted so far, outcome

A fault is an object; its fields combine

  delay_ms      waits before it answers or drops
  status        200 to 599
  headers       {"name": "value" or ["value", ...]}, added to the answer's or in their place
  body          any JSON value          (one of these three)
  text          sent as it stands, as text/html
  bytes         so many bytes of filler
  drop          "before": the connection ends, the request is not taken
                "after": it is taken, then the connection is reset
                "mid-body": it is taken, and the connection ends half-way through the answer's body
                "reset-mid-body": the same, by a TCP reset
  hang          true: it is taken and never answered
  takes_effect  whether the build is made or the poll counted; without it, unless drop is "before" or status not 2xx
`;
