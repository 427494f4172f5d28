use std::collections::{BTreeMap, BTreeSet};

use infuse_tests::Gateway;

/// What a gateway shows at `/metrics`, read as Prometheus reads it.
#[derive(Debug, Default)]
pub(crate) struct Scrape {
    series: Vec<Series>,
    /// The type of each metric.
    types: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Scrape {
    pub(crate) async fn of(gateway: &Gateway) -> Self {
        let answer = gateway.get("/metrics").await;
        assert_eq!(answer.status(), 200);
        let kind = answer.headers()["content-type"].to_str().unwrap();
        assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
        Self::read(&answer.text().await.unwrap())
    }

    /// Reads a text of the format 0.0.4. Values of labels are plain here.
    fn read(text: &str) -> Self {
        let mut scrape = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(of_type) = line.strip_prefix("# TYPE ") {
                let (name, kind) = of_type.split_once(' ').unwrap();
                let before = scrape.types.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "{name} has two types");
            }
            if line.starts_with('#') {
                continue;
            }
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.strip_suffix('}').unwrap();
            let label = |label: &str| {
                let (name, value) = label.split_once('=').unwrap();
                let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
                (name.to_owned(), value.unwrap().to_owned())
            };
            let labels = labels.split(',').filter(|label| !label.is_empty()).map(label).collect();
            let (name, value) = (name.to_owned(), value.parse().unwrap());
            scrape.series.push(Series { name, labels, value });
        }
        scrape
    }

    /// The sum over all series of this name that have these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |series: &&Series| {
            series.name == name
                && labels.iter().all(|(label, value)| {
                    series.labels.get(*label).is_some_and(|other| other == value)
                })
        };
        let found: Vec<_> = self.series.iter().filter(has).collect();
        assert!(!found.is_empty(), "no {name} {labels:?} in {self:#?}");
        found.iter().map(|series| series.value).sum()
    }

    /// The names of the labels that this metric has, and their values; `None` if there is no such
    /// metric.
    pub(crate) fn labels(&self, name: &str) -> Option<BTreeMap<String, BTreeSet<String>>> {
        let mut found = None;
        for series in self.series.iter().filter(|series| series.name == name) {
            let labels: &mut BTreeMap<String, BTreeSet<String>> = found.get_or_insert_default();
            for (label, value) in &series.labels {
                labels.entry(label.clone()).or_default().insert(value.clone());
            }
        }
        found
    }

    /// The names of all metrics of Infuse, by their types.
    pub(crate) fn types(&self) -> BTreeMap<&str, &str> {
        let ours = self.types.iter().filter(|(name, _)| name.starts_with("infuse_"));
        ours.map(|(name, kind)| (name.as_str(), kind.as_str())).collect()
    }
}
