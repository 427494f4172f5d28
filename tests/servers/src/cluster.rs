use crate::{RedisServer, Reply, patience::until};

/// Three masters, each with a third of the slots and a replica that takes over when it is gone:
/// within two or three seconds.
#[derive(Debug)]
pub struct Cluster {
    /// The masters at the start, and then a replica of each, in the same order.
    nodes: Vec<RedisServer>,
}

const MASTERS: usize = 3;
const SLOTS: usize = 16384;

impl Cluster {
    /// Starts one, and returns when all nodes agree that it is whole.
    ///
    /// # Panics
    ///
    /// If they do not, or there is no `redis-server`.
    pub async fn start() -> Self {
        let mut nodes = Vec::new();
        for _ in 0..2 * MASTERS {
            let node = RedisServer::builder()
                .arg("--cluster-enabled", "yes")
                .arg("--cluster-config-file", "nodes.conf")
                .arg("--cluster-node-timeout", "500")
                // However long a replica has been without its master.
                .arg("--cluster-replica-validity-factor", "0");
            nodes.push(node.start().await);
        }
        let cluster = Self { nodes };
        if let Err(why) = cluster.join().await {
            panic!("the nodes make no cluster: {why}\n{}", cluster.report().await);
        }
        cluster
    }

    async fn join(&self) -> Result<(), String> {
        for (number, node) in self.nodes.iter().enumerate() {
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]).await?;
            if number < MASTERS {
                let mut words = vec!["CLUSTER".to_owned(), "ADDSLOTS".to_owned()];
                let slots = number * SLOTS / MASTERS..(number + 1) * SLOTS / MASTERS;
                words.extend(slots.map(|slot| slot.to_string()));
                node.command(&words).await?;
            }
        }
        // Each to each: to wait for gossip takes longer.
        for node in &self.nodes {
            for other in &self.nodes {
                let port = other.port().to_string();
                node.command(&["CLUSTER", "MEET", "127.0.0.1", &port]).await?;
            }
        }
        self.until("all nodes know each other", async || {
            for node in &self.nodes {
                let known = info_of(node).await?.get("cluster_known_nodes")?.parse::<usize>();
                (known == Ok(self.nodes.len())).then_some(())?;
            }
            Some(())
        })
        .await;
        for (master, replica) in self.nodes.iter().zip(&self.nodes[MASTERS..]) {
            let id = id_of(master).await?;
            self.until("a replica has its master", async || {
                // It must have heard of the master under this id.
                replica.command(&["CLUSTER", "REPLICATE", &id]).await.ok().map(|_| ())
            })
            .await;
        }
        self.until("the cluster is whole", async || {
            for (number, node) in self.nodes.iter().enumerate() {
                let replicated = node.info("replication").await.ok()?;
                let field = |name: &str| replicated.get(name).map(String::as_str);
                if number < MASTERS {
                    (field("connected_slaves") == Some("1")).then_some(())?;
                } else {
                    (field("master_link_status") == Some("up")).then_some(())?;
                }
            }
            self.is_whole(self.nodes.len()).await.then_some(())
        })
        .await;
        Ok(())
    }

    /// The addresses of all nodes.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }

    /// The nodes: the masters at the start, and then a replica of each, in the same order.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// The slot of a key.
    ///
    /// # Panics
    ///
    /// If no node answers.
    pub async fn slot_of(&self, key: &str) -> u16 {
        let slot = self.answering().command(&["CLUSTER", "KEYSLOT", key]).await;
        slot.ok().and_then(|slot| u16::try_from(slot.int()?).ok()).expect("a slot")
    }

    /// The master that has the slot of a key.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub async fn node_of_slot_of(&self, key: &str) -> &RedisServer {
        let slot = self.slot_of(key).await;
        let port = owner(self.answering(), slot).await.expect("an owner of the slot");
        self.node(port)
    }

    /// Kills the master that has the slot of a key.
    pub async fn kill_master_of(&self, key: &str) {
        self.node_of_slot_of(key).await.kill();
    }

    /// Waits until a node that answers has the slot of a key, and all that answer say so and that
    /// the cluster is whole.
    ///
    /// # Panics
    ///
    /// If none gets it.
    pub async fn wait_for_failover(&self, key: &str) {
        let slot = self.slot_of(key).await;
        self.until("another node has the slot", async || {
            let port = self.agreed_owner(slot).await?;
            (self.node(port).answers() && self.is_whole(0).await).then_some(())
        })
        .await;
    }

    /// Moves the slot of a key, and all keys in it, to another master, and returns when all nodes
    /// know it.
    ///
    /// # Errors
    ///
    /// If one of the nodes refuses.
    ///
    /// # Panics
    ///
    /// If they do not come to know it.
    pub async fn move_slot_of(&self, key: &str) -> Result<(), String> {
        let slot = self.slot_of(key).await;
        let from = self.node_of_slot_of(key).await;
        let masters = self.masters().await?;
        let to = masters.iter().find(|master| master.port() != from.port());
        let to = to.ok_or("there is no other master")?;
        let (from_id, to_id) = (id_of(from).await?, id_of(to).await?);
        let (number, port) = (slot.to_string(), to.port().to_string());
        let set = ["CLUSTER", "SETSLOT", &number];
        to.command(&[&set[..], &["IMPORTING", &from_id]].concat()).await?;
        from.command(&[&set[..], &["MIGRATING", &to_id]].concat()).await?;
        loop {
            let keys = from.command(&["CLUSTER", "GETKEYSINSLOT", &number, "100"]).await?.texts();
            if keys.is_empty() {
                break;
            }
            let migrate = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "REPLACE", "KEYS"];
            let keys: Vec<_> = keys.iter().map(String::as_str).collect();
            from.command(&[&migrate[..], &keys].concat()).await?;
        }
        // First the new owner: were it last, the slot would have none for a moment.
        to.command(&[&set[..], &["NODE", &to_id]].concat()).await?;
        from.command(&[&set[..], &["NODE", &to_id]].concat()).await?;
        for other in
            masters.iter().filter(|other| ![from.port(), to.port()].contains(&other.port()))
        {
            other.command(&[&set[..], &["NODE", &to_id]].concat()).await?;
        }
        self.until("all nodes know the new owner", async || {
            (self.agreed_owner(slot).await? == to.port()).then_some(())
        })
        .await;
        Ok(())
    }

    async fn masters(&self) -> Result<Vec<&RedisServer>, String> {
        let mut masters = Vec::new();
        for node in self.nodes.iter().filter(|node| node.answers()) {
            if node.info("replication").await?.get("role").is_some_and(|role| role == "master") {
                masters.push(node);
            }
        }
        Ok(masters)
    }

    fn node(&self, port: u16) -> &RedisServer {
        self.nodes.iter().find(|node| node.port() == port).expect("one of the nodes")
    }

    fn answering(&self) -> &RedisServer {
        self.nodes.iter().find(|node| node.answers()).expect("a node that answers")
    }

    /// The port of the owner of a slot, if all that answer name the same.
    async fn agreed_owner(&self, slot: u16) -> Option<u16> {
        let mut ports = Vec::new();
        for node in self.nodes.iter().filter(|node| node.answers()) {
            ports.push(owner(node, slot).await?);
        }
        ports.dedup();
        (ports.len() == 1).then(|| ports[0])
    }

    /// Whether all nodes that answer, and at least this many, say that every slot is served.
    async fn is_whole(&self, nodes: usize) -> bool {
        let mut whole = 0;
        for node in self.nodes.iter().filter(|node| node.answers()) {
            let Some(info) = info_of(node).await else { return false };
            if info.get("cluster_state").is_none_or(|state| state != "ok")
                || info.get("cluster_slots_ok") != Some(&SLOTS.to_string())
            {
                return false;
            }
            whole += 1;
        }
        whole >= nodes
    }

    async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> Option<()>) {
        until(what, async || holds().await.is_some(), async || self.report().await).await;
    }

    async fn report(&self) -> String {
        let mut report = String::new();
        for node in &self.nodes {
            let nodes = match node.answers() {
                true => node.command(&["CLUSTER", "NODES"]).await,
                false => Err("it does not answer".to_owned()),
            };
            report += &format!("--- {}: {nodes:?}\n{}", node.port(), node.log());
        }
        report
    }
}

async fn info_of(node: &RedisServer) -> Option<std::collections::BTreeMap<String, String>> {
    let info = node.command(&["CLUSTER", "INFO"]).await.ok()?;
    Some(crate::info::fields(info.text()?))
}

async fn id_of(node: &RedisServer) -> Result<String, String> {
    let id = node.command(&["CLUSTER", "MYID"]).await?;
    id.text().map(str::to_owned).ok_or_else(|| "it has no id".to_owned())
}

/// The port of the owner of a slot, as a node sees it.
async fn owner(node: &RedisServer, slot: u16) -> Option<u16> {
    let slots = node.command(&["CLUSTER", "SLOTS"]).await.ok()?;
    // First slot, last slot, then the nodes that have them, the master first.
    slots.list().iter().find_map(|range| {
        let range = range.list();
        let (first, last) = (range.first()?.int()?, range.get(1)?.int()?);
        let port = range.get(2)?.list().get(1).and_then(Reply::int)?;
        (first..=last).contains(&i64::from(slot)).then(|| u16::try_from(port).ok())?
    })
}
