/// Reads a switch.
///
/// The error says what to use instead.
pub(super) fn parse(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("not a switch; use `true` or `false`".to_owned()),
    }
}
