//! The replicas of weir, one of which reads, and what all of them logged and counted.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::Value;

use crate::eventually;
use crate::life::Life;
use crate::links::Links;
use crate::load::NAMESPACES;
use crate::oracle::Gap;
use crate::plan::{LEASE_DURATION, Scale};
use crate::reference::History;
use crate::replica::Replica;
use crate::search::INDEX_PREFIX;
use crate::servers::{Servers, repository};

/// Of the pipeline, and so of its Lease.
const NAME: &str = "chaos";

pub(crate) struct Fleet {
    /// One scope each; `None`: one scope for all namespaces.
    namespaces: Option<&'static [&'static str]>,
    replicas: Vec<Replica>,
    spared: Mutex<Option<usize>>,
    /// Holds the settled mark, if there is more than one replica.
    leases: Option<Api<Lease>>,
}

impl Fleet {
    pub(crate) async fn new(scale: &Scale, servers: &Servers, links: &Links) -> Fleet {
        let namespaces = (!scale.is_one_scope()).then_some(&NAMESPACES[..]);
        let config = config(namespaces.unwrap_or_default(), links.opensearch(), scale.replicas > 1);
        let replica = |number| {
            let name = format!("weir-{number}");
            let kubeconfig = servers.kubeconfig_through(links.api_server(number), &name);
            Replica::new(name, &config, &kubeconfig, servers)
        };
        let leases = Api::namespaced(servers.client().await, NAMESPACES[0]);
        let replicas: Vec<Replica> = (0..scale.replicas).map(replica).collect();
        Fleet {
            namespaces,
            leases: (scale.replicas > 1).then_some(leases),
            spared: Mutex::default(),
            replicas,
        }
    }

    /// The namespaces that weir watches; `None`: all.
    pub(crate) fn namespaces(&self) -> Option<&'static [&'static str]> {
        self.namespaces
    }

    /// Starts all replicas.
    pub(crate) fn start(&self) {
        self.replicas.iter().for_each(Replica::start);
    }

    /// The replica to kill: the leader in three cases of four, never the one that is spared.
    pub(crate) fn victim(&self, dice: u64) -> &Replica {
        let spared = *self.spared.lock().unwrap();
        let others = self.replicas.iter().enumerate().filter(|(number, _)| Some(*number) != spared);
        let others: Vec<&Replica> = others.map(|(_, replica)| replica).collect();
        let any = others[(dice >> 2) as usize % others.len()];
        let leader = others.iter().find(|replica| replica.leads());
        if dice.is_multiple_of(4) { any } else { leader.unwrap_or(&any) }
    }

    /// Spares a replica from now on, which needs time to show something.
    pub(crate) fn spare(&self, replica: Option<usize>) {
        *self.spared.lock().unwrap() = replica;
    }

    /// The number of the leader, if there is one.
    pub(crate) fn leader(&self) -> Option<usize> {
        self.replicas.iter().position(Replica::leads)
    }

    /// Notes a problem if this replica still leads after being cut off from the API server for this
    /// long.
    pub(crate) async fn must_have_stopped_leading(&self, replica: usize, since: Duration) {
        self.replicas[replica].must_have_stopped_leading(since).await;
    }

    /// Waits until the first position is saved, before anything fails.
    pub(crate) async fn until_position_is_saved(&self) {
        eventually("weir saves a position", async || self.position().await).await;
    }

    /// The settled mark of the Lease, or of the only replica.
    async fn position(&self) -> Option<Value> {
        let text = match &self.leases {
            Some(leases) => {
                leases.get(NAME).await.ok()?.metadata.annotations?.remove("weir/settled")
            }
            None => self.replicas[0].position(),
        };
        serde_json::from_str(&text?).ok()
    }

    /// Whether the saved position has passed everything that was written.
    pub(crate) async fn has_passed(&self, history: &History) -> bool {
        let record = self.position().await.unwrap_or_default();
        let mark = |scope: &str| {
            record["positions"][scope].as_str().and_then(|text| text.parse::<u64>().ok())
        };
        history.values().all(|object| {
            let mark = mark("*").or_else(|| mark(&object.namespace));
            mark >= object.versions.keys().next_back().copied()
        })
    }

    /// Whether no replica has an event in flight, by readings of from now on.
    pub(crate) async fn is_idle(&self) -> bool {
        for replica in &self.replicas {
            if !replica.is_idle().await {
                return false;
            }
        }
        true
    }

    /// Ends each replica: it must drain, exit with success and account for every event. If there
    /// are problems already it is killed.
    pub(crate) async fn end(&self, problems: &[String]) {
        for replica in &self.replicas {
            replica.end(problems).await;
        }
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        self.replicas.iter().flat_map(Replica::problems).collect()
    }

    pub(crate) fn lives(&self) -> Vec<Life> {
        self.replicas.iter().flat_map(Replica::lives).collect()
    }

    /// How many SIGKILLs hit a running weir, how many of those hit a leader, and how many drains
    /// were over before the SIGKILL.
    pub(crate) fn ends(&self) -> (u64, u64, u64) {
        let ends = self.replicas.iter().map(Replica::ends);
        ends.fold((0, 0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1, sum.2 + of.2))
    }

    /// What weir could not have seen, according to its own logs.
    pub(crate) fn gaps(&self) -> Vec<Gap> {
        self.lives().iter().flat_map(Life::gaps).collect()
    }
}

fn config(namespaces: &[&str], opensearch: &str, has_lease: bool) -> String {
    let stage = |name: &str, more: &str| {
        let module = module(name);
        format!("[[stage]]\nname = {name:?}\nmodule = {module:?}\n{more}")
    };
    let stages = stage("drop-normal", "[stage.config]\nkeep_reasons = [\"Killing\"]\n")
        + &stage("tag-gpu-failures", "");
    let namespace = NAMESPACES[0];
    let lease = format!(
        "[lease]\nenabled = {has_lease}\nnamespace = {namespace:?}\nduration = \"{}s\"\n",
        LEASE_DURATION.as_secs()
    );
    // The smallest memory allowed, so that an outage of a few seconds fills it.
    format!(
        "name = {NAME:?}\ncluster = \"chaos\"\n\
         [source]\nkind = \"kubernetes\"\nnamespaces = {namespaces:?}\n{stages}\
         [buffer]\nmemory = \"4MiB\"\npath = \"spool\"\ndisk = \"256MiB\"\n\
         [sink]\nkind = \"opensearch\"\nhosts = [\"http://{opensearch}\"]\nindex = \"{INDEX_PREFIX}-{{yyyy.MM.dd}}\"\n\
         [dead_letter]\npath = \"dead\"\n[admin]\nlisten = \"127.0.0.1:0\"\n{lease}"
    )
}

fn module(name: &str) -> PathBuf {
    let module = Path::new(repository()).join("filters/dist").join(format!("{name}.wasm"));
    assert!(module.exists(), "{} is missing: run `make filters`", module.display());
    module
}
