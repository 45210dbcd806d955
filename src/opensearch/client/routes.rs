//! Which node a request goes to, and whether compressed. Pure: time is a parameter.
//!
//! A request that is refused as a whole one way is tried the other ways, each once: by each node,
//! compressed and not. What stands before one node may refuse whatever it does not like (compressed
//! bodies, a path, this client), and that need not hold anything up while another way is open. The
//! way that took it is the way of all that come after: other nodes for good, no compression for
//! [`PLAIN_FOR`].
//!
//! Constraint: a request that must not be carried out twice (a `_bulk` into a data stream) is tried
//! another way only if the refusal says that nobody has looked into it. Where no way takes it, it
//! is the request's own fault, and for [`KNOWN_FOR`] none of its kind is tried another way: a
//! document that spoils its requests must not multiply them.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

/// How long bodies are not compressed for a node that refused one and took it uncompressed.
pub(super) const PLAIN_FOR: Duration = Duration::from_secs(3600);
/// How long it is remembered that a request was refused by every way.
const KNOWN_FOR: Duration = Duration::from_secs(60);

/// One way for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// The node, by its number.
    pub(super) host: usize,
    pub(super) is_compressed: bool,
}

/// What is noticed on the way, for people. Hosts are numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// This node refuses compressed bodies, and is sent none for a while.
    RefusesGzip { host: usize, status: StatusCode },
    /// It takes them again.
    TakesGzip { host: usize },
    /// The one refuses what the other takes, and the other one is used from now on.
    Moved { from: usize, to: usize, status: StatusCode },
}

/// The nodes of one cluster, and what they take.
#[derive(Debug)]
pub(super) struct Routes {
    hosts: Vec<Host>,
    current: usize,
    /// When a request of a kind was last refused by every way.
    refused_everywhere: BTreeMap<String, Instant>,
}

#[derive(Debug)]
struct Host {
    /// Whether compressing pays at all.
    may_compress: bool,
    /// It refused a compressed body: none before this.
    plain_until: Option<Instant>,
}

/// One request on its ways.
#[derive(Debug)]
pub(super) struct Trip {
    /// Refusals so far, in order.
    refused: Vec<(Route, StatusCode)>,
    is_compressible: bool,
    began: Instant,
    /// Its path, without the query.
    kind: String,
}

impl Routes {
    /// For at least one node each; whether compressing pays.
    pub(super) fn new(may_compress: impl IntoIterator<Item = bool>) -> Routes {
        let host = |may_compress| Host { may_compress, plain_until: None };
        let hosts = may_compress.into_iter().map(host).collect();
        Routes { hosts, current: 0, refused_everywhere: BTreeMap::new() }
    }

    /// The node that is asked now.
    pub(super) fn current(&self) -> usize {
        self.current
    }

    /// Asks the next node from now on, unless somebody else has moved on from this one already.
    pub(super) fn rotate(&mut self, from: usize) {
        if self.current == from {
            self.current = (from + 1) % self.hosts.len();
        }
    }

    /// The first way of a request.
    pub(super) fn begin(&self, path: &str, is_compressible: bool, now: Instant) -> (Trip, Route) {
        let kind = path.split('?').next().unwrap_or_default().to_owned();
        let trip = Trip { refused: Vec::new(), is_compressible, began: now, kind };
        let route = self.route_to(self.current, &trip);
        (trip, route)
    }

    fn route_to(&self, host: usize, trip: &Trip) -> Route {
        let Host { may_compress, plain_until } = self.hosts[host];
        let is_due = plain_until.is_none_or(|until| until <= trip.began);
        Route { host, is_compressed: trip.is_compressible && may_compress && is_due }
    }

    /// It was refused as a whole. Answers the next way to try, if there is one.
    pub(super) fn refused(
        &mut self,
        trip: &mut Trip,
        route: Route,
        status: StatusCode,
    ) -> Option<Route> {
        trip.refused.push((route, status));
        let (now, first) = (trip.began, trip.refused[0].0.host);
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) < KNOWN_FOR;
        if self.refused_everywhere.get(&trip.kind).is_some_and(is_recent) {
            return None;
        }
        let hosts = (0..self.hosts.len()).map(|step| (first + step) % self.hosts.len());
        let mut ways = hosts.flat_map(|host| {
            let usual = self.route_to(host, trip);
            [usual, Route { is_compressed: false, ..usual }]
        });
        let next = ways.find(|way| trip.refused.iter().all(|(refused, _)| refused != way));
        if next.is_none() && trip.refused.len() > 1 {
            self.refused_everywhere.retain(|_, at| is_recent(at));
            self.refused_everywhere.insert(trip.kind.clone(), now);
        }
        next
    }

    /// It was taken by this way.
    pub(super) fn passed(&mut self, trip: &Trip, route: Route) -> Option<Notice> {
        let host = &mut self.hosts[route.host];
        let Some(&(first, status)) = trip.refused.first() else {
            let was_plain = route.is_compressed && host.plain_until.take().is_some();
            return was_plain.then_some(Notice::TakesGzip { host: route.host });
        };
        let is_gzip_there = |refused: &Route| refused.host == route.host && refused.is_compressed;
        let gzip = trip.refused.iter().find(|(refused, _)| is_gzip_there(refused));
        if let Some(&(_, status)) = gzip {
            // Compressed it was refused there too, so this way is not.
            let was_known = host.plain_until.replace(trip.began + PLAIN_FOR).is_some();
            if self.current == first.host {
                self.current = route.host;
            }
            let notice = Notice::RefusesGzip { host: route.host, status };
            return (!was_known).then_some(notice);
        }
        if self.current != first.host {
            return None; // Somebody else has moved on.
        }
        self.current = route.host;
        Some(Notice::Moved { from: first.host, to: route.host, status })
    }
}

/// Whether a status is about a request's form, and nobody can have carried it out (RFC 9110, 15.5).
pub(super) fn is_about_form(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 411 | 413 | 415)
}

/// Whether a status refuses a request as a whole, so that it may pass another way. Not what says
/// something about what was asked for (a missing index, a conflict), nor that it was too much.
pub(super) fn is_refusal(status: StatusCode, body: &[u8]) -> bool {
    match status.as_u16() {
        409 | 412 | 429 => false,
        // OpenSearch's own 404 is about an index, and is the same everywhere.
        404 => !body.trim_ascii_start().starts_with(b"{"),
        300..=499 => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands before two nodes.
    struct World {
        routes: Routes,
        now: Instant,
        /// How each node answers to a body: (compressed, not compressed).
        takes: [(bool, bool); 2],
        requests: usize,
    }

    impl World {
        fn new(takes: [(bool, bool); 2]) -> World {
            let routes = Routes::new([true, true]);
            World { routes, now: Instant::now(), takes, requests: 0 }
        }

        /// Sends one request; answers the way that took it, and what was noticed.
        fn send(&mut self, is_compressible: bool) -> (Option<Route>, Option<Notice>) {
            self.send_to("/_bulk?a", is_compressible)
        }

        fn send_to(
            &mut self,
            path: &str,
            is_compressible: bool,
        ) -> (Option<Route>, Option<Notice>) {
            let (mut trip, mut route) = self.routes.begin(path, is_compressible, self.now);
            loop {
                self.requests += 1;
                let (compressed, plain) = self.takes[route.host];
                if if route.is_compressed { compressed } else { plain } {
                    let notice = self.routes.passed(&trip, route);
                    return (Some(route), notice);
                }
                match self.routes.refused(&mut trip, route, StatusCode::BAD_REQUEST) {
                    Some(next) => route = next,
                    None => return (None, None),
                }
            }
        }

        fn later(&mut self, seconds: u64) {
            self.now += Duration::from_secs(seconds);
        }
    }

    fn way(host: usize, is_compressed: bool) -> Route {
        Route { host, is_compressed }
    }

    #[test]
    fn a_node_that_refuses_gzip_gets_none_and_is_asked_again_each_hour() {
        let mut world = World::new([(false, true), (true, true)]);
        let status = StatusCode::BAD_REQUEST;
        let told = Some(Notice::RefusesGzip { host: 0, status });
        assert_eq!(world.send(true), (Some(way(0, false)), told));
        world.later(3599);
        assert_eq!((world.send(true), world.requests), ((Some(way(0, false)), None), 3));
        world.later(1);
        let tried = (world.send(true), world.requests);
        assert_eq!(tried, ((Some(way(0, false)), None), 5), "tried again, and told once");
        world.takes[0].0 = true;
        world.later(3600);
        assert_eq!(world.send(true), (Some(way(0, true)), Some(Notice::TakesGzip { host: 0 })));
        assert_eq!(world.send(true), (Some(way(0, true)), None));
    }

    #[test]
    fn a_node_that_refuses_what_another_takes_is_left() {
        let mut world = World::new([(false, false), (true, true)]);
        let told = Some(Notice::Moved { from: 0, to: 1, status: StatusCode::BAD_REQUEST });
        assert_eq!(world.send(true), (Some(way(1, true)), told));
        assert_eq!(
            (world.send(true), world.send(false).0),
            ((Some(way(1, true)), None), Some(way(1, false)))
        );
        assert_eq!(world.requests, 3 + 2);
        // When that one cannot be reached any more, it is the first one's turn, and the same again.
        world.routes.rotate(1);
        assert_eq!(world.send(false), (Some(way(1, false)), told));
    }

    #[test]
    fn of_a_node_that_takes_nothing_and_one_without_gzip_the_second_is_found() {
        let mut world = World::new([(false, false), (false, true)]);
        assert_eq!(world.send(true).0, Some(way(1, false)));
        assert_eq!((world.send(true), world.requests), ((Some(way(1, false)), None), 5));
    }

    #[test]
    fn what_no_way_takes_is_tried_by_all_of_them_once_a_minute() {
        let mut world = World::new([(false, false), (false, false)]);
        assert_eq!((world.send(true), world.requests), ((None, None), 4));
        world.later(59);
        assert_eq!((world.send(true), world.requests), ((None, None), 5));
        assert_eq!(world.send_to("/other", true).0, None);
        assert_eq!(world.requests, 9, "what is asked elsewhere is another matter");
        world.later(1);
        assert_eq!((world.send(true), world.requests), ((None, None), 13));
        assert_eq!(world.routes.current(), 0);
    }

    #[test]
    fn one_node_without_gzip_is_asked_once() {
        let mut routes = Routes::new([false]);
        let (mut trip, route) = routes.begin("/", true, Instant::now());
        assert_eq!(route, way(0, false));
        assert_eq!(routes.refused(&mut trip, route, StatusCode::FORBIDDEN), None);
        routes.rotate(0);
        assert_eq!(routes.current(), 0);
    }

    #[test]
    fn of_requests_that_fail_together_one_moves_on() {
        let mut routes = Routes::new([false, false, false]);
        let (mut one, route) = routes.begin("/", false, Instant::now());
        let (mut two, _) = routes.begin("/", false, Instant::now());
        let next = routes.refused(&mut one, route, StatusCode::FORBIDDEN).unwrap();
        assert_eq!(routes.refused(&mut two, route, StatusCode::FORBIDDEN), Some(next));
        assert!(routes.passed(&one, next).is_some());
        assert_eq!((routes.passed(&two, next), routes.current()), (None, 1));
    }

    #[test]
    fn a_missing_index_and_a_conflict_are_answers() {
        let refuses =
            |status, body: &str| is_refusal(StatusCode::from_u16(status).unwrap(), body.as_bytes());
        assert!(refuses(400, "{}") && refuses(415, "") && refuses(403, "{}") && refuses(302, ""));
        assert!(refuses(404, "<html>") && !refuses(404, " {\"status\":404}"));
        assert!(![200, 201, 409, 412, 429, 500, 503].iter().any(|status| refuses(*status, "")));
    }
}
