//! events.k8s.io/v1 to core/v1 names: `note` to `message`, `regarding` to `involvedObject`, `deprecated*`
//! to what they were, `reportingController` to `reportingComponent`.
