use std::fmt;

use super::ServiceName;

/// A text with `{service_name}` and `{env}` in it, to be filled in per service.
///
/// A brace itself is written twice, `{{` or `}}`, as in Python's `str.format`, so that a template
/// of Infuse for Python means the same here.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Env,
    ServiceName,
}

impl Template {
    /// Reads a template. The error says what is wrong and what to use instead.
    pub(super) fn parse(source: &str) -> Result<Self, String> {
        if let Some(c) = source.chars().find(|c| c.is_whitespace() || c.is_control()) {
            return Err(format!("{c:?} is not allowed; use no spaces or control characters"));
        }
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                text.push_str(brace);
                rest = after;
                continue;
            }
            let Some((name, after)) = rest.split_once('}').filter(|_| brace == "{") else {
                return Err(format!("`{brace}` stands alone; write `{brace}{brace}` for a brace"));
            };
            let part = match name {
                "env" => Part::Env,
                "service_name" => Part::ServiceName,
                _ => {
                    return Err(format!(
                        "unknown placeholder `{{{}}}`; use `{{service_name}}` and `{{env}}`",
                        name.escape_debug()
                    ));
                }
            };
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(part);
            rest = after;
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Self { source: source.to_owned(), parts })
    }

    /// Reads the template of a key's namespace, in which every service has its own.
    pub(super) fn parse_namespace(source: &str) -> Result<Self, String> {
        let template = Self::parse(source)?;
        if template.parts.contains(&Part::ServiceName) {
            Ok(template)
        } else {
            Err("all circuits would be one; use `{service_name}` in it".to_owned())
        }
    }

    /// The template filled in.
    pub fn render(&self, env: &str, service: &ServiceName) -> String {
        self.render_text(env, service.as_str())
    }

    /// [`render`](Self::render) for the name of a circuit below a service, which is none itself.
    pub(crate) fn render_text(&self, env: &str, service: &str) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Env => env.to_owned(),
            Part::ServiceName => service.to_owned(),
        };
        self.parts.iter().map(part).collect()
    }

    /// The template as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// `{env}:{service_name}`, where Infuse keeps circuits.
    pub(super) fn default_namespace() -> Self {
        Self {
            source: "{env}:{service_name}".to_owned(),
            parts: vec![Part::Env, Part::Text(":".to_owned()), Part::ServiceName],
        }
    }

    /// `http://{service_name}:8000`, where Insanic's services listen.
    pub(super) fn default_service_url() -> Self {
        Self {
            source: "http://{service_name}:8000".to_owned(),
            parts: vec![
                Part::Text("http://".to_owned()),
                Part::ServiceName,
                Part::Text(":8000".to_owned()),
            ],
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.source)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.source, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn render(template: &str) -> String {
        Template::parse(template).unwrap().render("prod", &ServiceName::parse("payments").unwrap())
    }

    #[test]
    fn filled_in() {
        assert_eq!(render("{env}:{service_name}"), "prod:payments");
        assert_eq!(render("http://{service_name}.{env}.svc"), "http://payments.prod.svc");
        assert_eq!(render("plain"), "plain");
    }

    #[test]
    fn doubled_braces_are_braces_as_in_python() {
        assert_eq!(render("{{{env}:{service_name}}}"), "{prod:payments}");
        assert_eq!(render("{{env}}"), "{env}");
    }

    #[test]
    fn the_defaults_are_what_they_say() {
        for template in [Template::default_namespace(), Template::default_service_url()] {
            assert_eq!(Template::parse(template.as_str()), Ok(template));
        }
    }

    #[test]
    fn bad() {
        for (text, message) in [
            ("{service}", "unknown placeholder `{service}`; use `{service_name}` and `{env}`"),
            ("{}", "unknown placeholder `{}`; use `{service_name}` and `{env}`"),
            ("{env", "`{` stands alone; write `{{` for a brace"),
            ("env}", "`}` stands alone; write `}}` for a brace"),
            ("a b", "' ' is not allowed; use no spaces or control characters"),
            ("a\u{0}", "'\\0' is not allowed; use no spaces or control characters"),
        ] {
            assert_eq!(Template::parse(text), Err(message.to_owned()), "{text}");
        }
        assert_eq!(
            Template::parse_namespace("{env}"),
            Err("all circuits would be one; use `{service_name}` in it".to_owned())
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*|([{}]|env|service_name|:){0,9}") {
            if let Ok(template) = Template::parse(&text) {
                template.render("prod", &ServiceName::parse("payments").unwrap());
            }
        }
    }
}
