//! Walks that chance leads: not all there is, but much further than the search comes.

use super::{
    action::Action,
    epilogue::{self, Ending},
    search::{Found, Report, start},
    setting::Setting,
};

/// At one of how many steps an ending is tried.
const ENDINGS: usize = 16;

/// Goes on from `before`, as often and as far as is said, until a property is broken.
pub(super) fn walk(setting: Setting, before: &[Action], walks: u64, length: usize) -> Report {
    let mut report = Report { setting, worlds: 0, steps: 0, depth: length, found: None };
    for number in 0..walks {
        report.found = one(&mut report, before, number, length);
        if report.found.is_some() {
            break;
        }
    }
    report
}

fn one(report: &mut Report, before: &[Action], number: u64, length: usize) -> Option<Found> {
    let mut chance = Chance(number);
    let mut world = start(&report.setting, before);
    let mut trace = before.to_vec();
    for step in 1..=length {
        let actions = world.actions();
        let action = *chance.one_of(&actions)?;
        world.act(action);
        trace.push(action);
        report.steps += 1;
        if let Some(broken) = world.breaks() {
            return Some(Found { broken, trace, ending: None });
        }
        if step == length || chance.below(ENDINGS) == 0 {
            report.worlds += 1;
            let ending = *chance.one_of(&Ending::ALL)?;
            if let Some(broken) = epilogue::check(&world, ending) {
                return Some(Found { broken, trace, ending: Some(ending) });
            }
        }
    }
    None
}

/// Numbers that look random, and are the same each time: SplitMix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % most as u64) as usize
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len().max(1)))
    }
}
