use std::collections::BTreeMap;

/// The lines of `INFO` that have a name and a value.
pub(crate) fn fields(info: &str) -> BTreeMap<String, String> {
    let pairs = info.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The commands of `INFO commandstats` and how often each was called.
pub(crate) fn calls(fields: &BTreeMap<String, String>) -> BTreeMap<String, u64> {
    let calls = fields.iter().filter_map(|(name, value)| {
        let calls = value.split(',').find_map(|part| part.strip_prefix("calls="))?;
        Some((name.strip_prefix("cmdstat_")?.to_owned(), calls.parse().ok()?))
    });
    calls.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commandstats_are_read() {
        let info = "# Commandstats\r\ncmdstat_config|resetstat:calls=1,usec=9\r\n\
                    cmdstat_get:calls=12,usec=30,usec_per_call=2.50\r\n";
        let calls = calls(&fields(info));
        assert_eq!(calls["get"], 12);
        assert_eq!(calls["config|resetstat"], 1);
        assert_eq!(calls.len(), 2);
    }
}
