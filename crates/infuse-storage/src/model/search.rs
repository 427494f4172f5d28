//! The search: breadth first, over worlds that are told apart by their fingerprints.

use std::{
    collections::HashSet,
    fmt,
    hash::{BuildHasherDefault, Hasher},
};

use super::{
    action::Action,
    epilogue::{self, Ending},
    fingerprint::fingerprint,
    property::Broken,
    setting::Setting,
    world::World,
};

/// How far a search goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// It ends with so many worlds, which need not be all of their depth.
    pub(super) worlds: usize,
    /// How many endings are tried at each world: one of all in turn, or all of them.
    pub(super) all_endings: bool,
}

/// What was searched.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) setting: Setting,
    pub(super) worlds: usize,
    pub(super) steps: usize,
    /// So many steps from where it began, and fewer, all worlds were reached.
    pub(super) depth: usize,
    pub(super) found: Option<Found>,
}

/// A property that does not hold, and what leads to that.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) broken: Broken,
    pub(super) trace: Vec<Action>,
    /// How it ends from there, if that is what breaks it.
    pub(super) ending: Option<Ending>,
}

/// Where a search stands.
struct Search {
    limits: Limits,
    seen: HashSet<u64, BuildHasherDefault<Same>>,
    /// What came before each world: another one, and what happened.
    nodes: Vec<(u32, Action)>,
    steps: usize,
}

/// Searches all that may come after `before`, the shortest first, until a property is broken.
pub(super) fn search(setting: Setting, before: &[Action], limits: Limits) -> Report {
    let start = start(&setting, before);
    let mut search = Search { limits, seen: HashSet::default(), nodes: Vec::new(), steps: 0 };
    search.seen.insert(fingerprint(&start));
    // The first has none before it.
    search.nodes.push((0, Action::Tick));
    let mut worlds = vec![(0, start)];
    let (mut depth, mut found) = (0, None);
    while !worlds.is_empty() {
        match search.next_depth(&worlds) {
            Next::All(next) => worlds = next,
            Next::Enough => break,
            Next::Found(broken, ending) => {
                let trace = [before, &search.trace()].concat();
                found = Some(Found { broken, trace, ending });
                break;
            }
        }
        depth += 1;
    }
    Report { setting, worlds: search.nodes.len(), steps: search.steps, depth, found }
}

/// The world from which a search begins.
pub(super) fn start(setting: &Setting, before: &[Action]) -> World {
    let mut world = World::new(setting.clone());
    for action in before {
        assert!(world.actions().contains(action), "{}: {action:?} cannot be", setting.name);
        world.act(*action);
    }
    world
}

enum Next {
    /// All worlds that are one step further, and new.
    All(Vec<(u32, World)>),
    Enough,
    /// The last node's world breaks a property.
    Found(Broken, Option<Ending>),
}

impl Search {
    fn next_depth(&mut self, worlds: &[(u32, World)]) -> Next {
        let mut next = Vec::new();
        for (node, world) in worlds {
            for action in world.actions() {
                let after = world.after(action);
                self.steps += 1;
                let broken = after.breaks();
                if broken.is_none() && !self.seen.insert(fingerprint(&after)) {
                    continue;
                }
                let number = self.nodes.len();
                self.nodes.push((*node, action));
                if let Some(broken) = broken {
                    return Next::Found(broken, None);
                }
                if let Some((broken, ending)) = self.end(number, &after) {
                    return Next::Found(broken, Some(ending));
                }
                next.push((number as u32, after));
            }
            if self.nodes.len() >= self.limits.worlds {
                return Next::Enough;
            }
        }
        Next::All(next)
    }

    /// Lets a world end in the ways that are its turn.
    fn end(&self, number: usize, world: &World) -> Option<(Broken, Ending)> {
        let turn = number % Ending::ALL.len();
        let all = Ending::ALL.into_iter().enumerate();
        all.filter(|(at, _)| self.limits.all_endings || *at == turn)
            .find_map(|(_, ending)| Some((epilogue::check(world, ending)?, ending)))
    }

    /// What led to the last node.
    fn trace(&self) -> Vec<Action> {
        let mut trace = Vec::new();
        let mut at = self.nodes.len() - 1;
        while at > 0 {
            let (before, action) = self.nodes[at];
            trace.push(action);
            at = before as usize;
        }
        trace.reverse();
        trace
    }
}

impl World {
    /// The property that what has just happened breaks.
    pub(super) fn breaks(&self) -> Option<Broken> {
        let most = self.setting.half_open_max_calls;
        let mut masters = self.masters.iter().flatten();
        self.broken.or_else(|| masters.find_map(|record| Broken::standing(record, self.now, most)))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, worlds, steps, depth, found } = self;
        let Setting { name, kinds, .. } = setting;
        write!(f, "{name} {kinds:?}: {worlds} worlds, {steps} steps, depth {depth}")?;
        let Some(found) = found else { return Ok(()) };
        write!(f, "\n  {:?} is broken by", found.broken)?;
        found.trace.iter().try_for_each(|action| write!(f, "\n    {action:?}"))?;
        found.ending.iter().try_for_each(|ending| write!(f, "\n    {ending:?}"))
    }
}

/// Fingerprints are hashes already.
#[derive(Debug, Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}
