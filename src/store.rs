//! What the operator remembers: ledger, status, secrets, requests, events.
