//! As much of PromQL as it takes to say which metrics and labels an expression asks for.

/// One metric in an expression, with its matchers of labels.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) metric: String,
    /// Label, operator, value.
    pub(crate) matchers: Vec<(String, String, String)>,
}

/// The metrics of Infuse that an expression asks for.
pub(crate) fn selectors(expression: &str) -> Vec<Selector> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(at) = rest.find("infuse_") {
        rest = &rest[at..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let (metric, behind) = rest.split_at(end.unwrap_or(rest.len()));
        let matchers = match behind.strip_prefix('{') {
            Some(behind) => behind[..behind.find('}').unwrap()].split(',').map(matcher).collect(),
            None => Vec::new(),
        };
        found.push(Selector { metric: metric.to_owned(), matchers });
        rest = behind;
    }
    found
}

fn matcher(text: &str) -> (String, String, String) {
    let at = text.find(['=', '!']).unwrap();
    let (label, rest) = text.split_at(at);
    let (operator, value) = rest.split_at(rest.find('"').unwrap());
    (label.trim().to_owned(), operator.to_owned(), value.trim_matches('"').to_owned())
}

/// The labels that an expression keeps: `by (a, b)`.
pub(crate) fn kept(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    for by in expression.split("by (").skip(1) {
        let labels = by.split(')').next().unwrap();
        found.extend(labels.split(',').map(|label| label.trim().to_owned()));
    }
    found
}

/// The labels that a text shows: `{{service}}`, `{{ $labels.service }}`.
pub(crate) fn shown(text: &str) -> Vec<String> {
    let inside = text.split("{{").skip(1).map(|part| part.split("}}").next().unwrap().trim());
    let label = inside.filter(|part| !part.starts_with("$value"));
    label.map(|part| part.trim_start_matches("$labels.").to_owned()).collect()
}

#[test]
fn expressions_are_understood() {
    let expression = r#"sum by (le, a) (rate(infuse_b{a=~"$x",c!="d"}[5m])) > infuse_e or up"#;
    let matcher = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(
        selectors(expression),
        [
            Selector {
                metric: "infuse_b".to_owned(),
                matchers: vec![matcher("a", "=~", "$x"), matcher("c", "!=", "d")],
            },
            Selector { metric: "infuse_e".to_owned(), matchers: Vec::new() },
        ]
    );
    assert_eq!(kept(expression), ["le", "a"]);
    let text = "{{ $labels.a }}: {{b}} is {{ $value | humanize }}";
    assert_eq!(shown(text), ["a", "b"]);
}
