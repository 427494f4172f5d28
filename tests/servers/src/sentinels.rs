use std::sync::{Mutex, PoisonError};

use crate::{RedisServer, Reply, patience::until};

/// A master, its replicas, and three sentinels that make a replica the master when the master is
/// gone: within a second or two.
#[derive(Debug)]
pub struct Sentinels {
    nodes: Vec<RedisServer>,
    sentinels: Vec<RedisServer>,
    /// The port of the master that was last agreed upon.
    master: Mutex<u16>,
}

/// The name by which the sentinels know the master.
const NAME: &str = "infuse";

/// The user as which replicas come to their master.
const REPLICA: &str = "replica";

/// How often they look at things, in milliseconds. Their own seconds would make every test slow.
///
/// A replica is made a master only if it was asked how it is within five times `ping-period`, and
/// one that has lost its master is asked once a second, whatever `info-period` is.
const PERIODS: [(&str, &str); 4] = [
    ("info-period", "200"),
    ("ping-period", "300"),
    ("ask-period", "100"),
    ("publish-period", "100"),
];

impl Sentinels {
    /// Starts a master with this many replicas and three sentinels, and returns when all of them
    /// know each other.
    ///
    /// # Panics
    ///
    /// If they do not, or there is no `redis-server`.
    pub async fn start(replicas: usize) -> Self {
        let mut nodes = vec![start_node(None).await];
        let master = nodes[0].port();
        for _ in 0..replicas {
            nodes.push(start_node(Some(master)).await);
        }
        for replica in &nodes[1..] {
            let holds = async || is_replica_of(replica, master).await;
            until("the replicas have copied", holds, async || replica.log()).await;
        }
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            sentinels.push(start_sentinel(master).await);
        }
        let group = Self { nodes, sentinels, master: Mutex::new(master) };
        let holds = async || group.is_complete(replicas).await;
        until("the sentinels know all", holds, async || group.report()).await;
        group
    }

    /// The name by which the sentinels know the master.
    pub fn master_name(&self) -> &'static str {
        NAME
    }

    /// The addresses of the sentinels.
    pub fn urls(&self) -> Vec<String> {
        self.sentinels.iter().map(RedisServer::url).collect()
    }

    /// The master and its replicas. The first was the master at the start.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// The sentinels themselves.
    pub fn sentinels(&self) -> &[RedisServer] {
        &self.sentinels
    }

    /// The master that the sentinels last agreed upon, in
    /// [`wait_for_failover`](Self::wait_for_failover) or at the start.
    ///
    /// # Panics
    ///
    /// Never.
    pub fn master(&self) -> &RedisServer {
        let port = self.master_port();
        self.nodes.iter().find(|node| node.port() == port).expect("one of the nodes")
    }

    /// Kills the master.
    pub fn kill_master(&self) {
        self.master().kill();
    }

    /// Ends replication for good, so that what is written to the master from now on is lost with
    /// it. A replica that has lost its master for more than a few seconds is not made a master:
    /// [`kill_master`](Self::kill_master) must follow soon.
    ///
    /// # Errors
    ///
    /// If the master does not do it.
    pub async fn cut_replication(&self) -> Result<(), String> {
        let mut master = self.master().connect().await?;
        master.command(&["ACL", "SETUSER", REPLICA, "off"]).await?;
        master.command(&["CLIENT", "KILL", "TYPE", "replica"]).await?;
        Ok(())
    }

    /// Waits until another node is the master, and all sentinels that answer say so. That is
    /// [`master`](Self::master) then.
    ///
    /// # Panics
    ///
    /// If none becomes it.
    pub async fn wait_for_failover(&self) {
        let before = self.master_port();
        let mut now = before;
        let holds = async || {
            let Some(agreed) = self.agreed().await else { return false };
            now = agreed;
            let node = self.nodes.iter().find(|node| node.port() == agreed);
            agreed != before && is_master(node).await
        };
        until("another node is the master", holds, async || self.report()).await;
        *self.master.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    fn master_port(&self) -> u16 {
        *self.master.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The port of the master, if the sentinels that answer agree on it and none has still to do
    /// with making it the master. (The address that they give to clients comes before that.)
    async fn agreed(&self) -> Option<u16> {
        let mut ports = Vec::new();
        for sentinel in self.sentinels.iter().filter(|sentinel| sentinel.answers()) {
            let master = sentinel.command(&["SENTINEL", "MASTER", NAME]).await.ok()?;
            (master.named("flags")?.text()? == "master").then_some(())?;
            ports.push(u16::try_from(master.named("port")?.int()?).ok()?);
        }
        ports.dedup();
        (ports.len() == 1).then(|| ports[0])
    }

    /// Whether every sentinel knows the others and could make any of the replicas a master.
    async fn is_complete(&self, replicas: usize) -> bool {
        for sentinel in &self.sentinels {
            let Ok(master) = sentinel.command(&["SENTINEL", "MASTER", NAME]).await else {
                return false;
            };
            let others = master.named("num-other-sentinels").and_then(Reply::int);
            let Ok(known) = sentinel.command(&["SENTINEL", "REPLICAS", NAME]).await else {
                return false;
            };
            let good = known.list().iter().filter(|replica| {
                let field = |name| replica.named(name).and_then(Reply::text);
                field("flags") == Some("slave") && field("master-link-status") == Some("ok")
            });
            if others != Some(2) || good.count() != replicas {
                return false;
            }
        }
        true
    }

    fn report(&self) -> String {
        let all = self.sentinels.iter().chain(&self.nodes);
        all.map(|server| format!("--- {}\n{}", server.port(), server.log())).collect()
    }
}

async fn start_node(master: Option<u16>) -> RedisServer {
    let user = format!("{REPLICA} on >{REPLICA} ~* &* +@all");
    let mut node = RedisServer::builder()
        .user_acl(&user)
        .arg("--masteruser", REPLICA)
        .arg("--masterauth", REPLICA);
    if let Some(master) = master {
        node = node.arg("--replicaof", &format!("127.0.0.1 {master}"));
    }
    node.start().await
}

async fn start_sentinel(master: u16) -> RedisServer {
    let mut builder = RedisServer::builder();
    builder.sentinel = Some(format!(
        "sentinel monitor {NAME} 127.0.0.1 {master} 2\n\
         sentinel down-after-milliseconds {NAME} 300\n\
         sentinel failover-timeout {NAME} 2000\n\
         sentinel parallel-syncs {NAME} 1\n"
    ));
    let sentinel = builder.start().await;
    for (period, milliseconds) in PERIODS {
        // Redis 6.2 does not know it and is slower.
        let _ = sentinel.command(&["SENTINEL", "DEBUG", period, milliseconds]).await;
    }
    sentinel
}

async fn is_replica_of(node: &RedisServer, master: u16) -> bool {
    node.info("replication").await.is_ok_and(|info| {
        info.get("master_port") == Some(&master.to_string())
            && info.get("master_link_status").is_some_and(|status| status == "up")
    })
}

async fn is_master(node: Option<&RedisServer>) -> bool {
    let Some(node) = node else { return false };
    node.info("replication").await.is_ok_and(|info| info.get("role").is_some_and(|r| r == "master"))
}
