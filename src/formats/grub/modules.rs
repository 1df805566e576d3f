//! Which modules need which others: `moddep.lst`, a line for each module.

use super::GrubError;

/// These modules and all that they need, each behind what it needs, in the order of grub-mkimage: of what a module needs, the last comes
/// first.
///
/// # Errors
/// The list lacks one of them.
pub fn with_dependencies(list: &str, wanted: &[&str]) -> Result<Vec<String>, GrubError> {
    let mut found = Vec::new();
    for name in wanted {
        add(list, name, &mut found, &mut Vec::new())?;
    }
    Ok(found)
}

/// Modules do not need each other in a circle; a list that says so is followed around it once.
fn add<'l>(list: &'l str, name: &'l str, found: &mut Vec<String>, open: &mut Vec<&'l str>) -> Result<(), GrubError> {
    if found.iter().any(|known| known == name) || open.contains(&name) {
        return Ok(());
    }
    let needed = needed(list, name).ok_or_else(|| GrubError::NoModule(name.to_owned()))?;
    open.push(name);
    for other in needed.iter().rev() {
        add(list, other, found, open)?;
    }
    open.pop();
    found.push(name.to_owned());
    Ok(())
}

fn needed<'l>(list: &'l str, name: &str) -> Option<Vec<&'l str>> {
    let line = list
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.split_whitespace().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_module_needs_comes_before_it() {
        let list = "vbe: video_fb video\nvideo:\nvideo_fb: video\nvid: \nring: gnir\ngnir: ring\n";
        let order = |wanted: &[&str]| with_dependencies(list, wanted).map(|all| all.join(" "));
        assert_eq!(order(&["vbe", "vid"]).unwrap(), "video video_fb vbe vid");
        assert_eq!(order(&["ring"]).unwrap(), "gnir ring");
        assert_eq!(order(&["video", "vi"]), Err(GrubError::NoModule("vi".into())));
    }
}
