//! Configurations are templates with places for values, `@name@`.

/// A template with its places filled. A line of nothing but a place becomes the value's lines, or nothing if the value is empty.
pub(super) fn fill(template: &str, values: &[(&str, &[u8])]) -> Vec<u8> {
    let value = |name: &str| values.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
    let mut out = Vec::new();
    for line in template.lines() {
        let whole = line.strip_prefix('@').and_then(|rest| rest.strip_suffix('@'));
        if let Some(value) = whole.and_then(value) {
            out.extend_from_slice(value);
            if !value.is_empty() && !value.ends_with(b"\n") {
                out.push(b'\n');
            }
            continue;
        }
        let mut rest = line;
        while let Some((before, place)) = rest.split_once('@') {
            out.extend_from_slice(before.as_bytes());
            match place
                .split_once('@')
                .and_then(|(name, behind)| Some((value(name)?, behind)))
            {
                Some((value, behind)) => {
                    out.extend_from_slice(value);
                    rest = behind;
                }
                None => {
                    out.push(b'@');
                    rest = place;
                }
            }
        }
        out.extend_from_slice(rest.as_bytes());
        out.push(b'\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_become_values_and_a_value_is_never_a_place() {
        let template = "a@b.c\n@lines@\n@none@\nx=@x@ y=@y@.\n";
        let values: [(&str, &[u8]); 4] = [("lines", b"1\n2"), ("none", b""), ("x", b"@y@"), ("y", b"\xff")];
        assert_eq!(fill(template, &values), b"a@b.c\n1\n2\nx=@y@ y=\xff.\n");
    }
}
