//! Whether an application's name is spelt as the key of the circuit that it seeds.

use super::{Settings, StorageKind};

/// What to say of an application that is called `spelt` and seeds another circuit than those mean
/// who call it by that name.
///
/// A circuit is kept under the name as `INFUSE_SERVICE_CONNECTIONS` spells it, which every caller
/// has and the application itself need not have: then its own name is taken in lower case with
/// `-`. In one process both are one; in Redis they are two keys.
pub(crate) fn warning(settings: &Settings, spelt: &str) -> Option<String> {
    let name = settings.service_name.as_ref()?;
    let seeds = settings.storage == StorageKind::Redis && settings.initial_state.state().is_some();
    if !seeds || name.as_str() == spelt || settings.connections.contains(name) {
        return None;
    }
    Some(format!(
        "the circuit that is set at start is `{name}` (in Redis `{}`), and not that of callers \
         who list `{spelt}`; if they do, list it in INFUSE_SERVICE_CONNECTIONS here too",
        settings.namespace(name)
    ))
}
