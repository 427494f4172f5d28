use infuse_core::Override;

use crate::{Clear, Control, LeaseRequest, Look, Opening, Presented, Report, Seed, Settle, Trip};

/// All that a verb presents.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Presents<'a> {
    pub(crate) presented: Presented,
    pub(crate) overridden: Option<&'a Override>,
    pub(crate) provenance: Option<&'a Opening>,
}

macro_rules! presented_by {
    ($($verb:ty)*) => {
        $(impl<'a> From<&'a $verb> for Presents<'a> {
            fn from(verb: &'a $verb) -> Self {
                Self {
                    presented: verb.presented,
                    overridden: verb.overridden.as_deref(),
                    provenance: verb.provenance.as_deref(),
                }
            }
        })*
    };
}

presented_by! { Look Report Trip Clear LeaseRequest Settle Control Seed }
