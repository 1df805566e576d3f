//! Arguments that are changed, by grammar.

use super::super::Loader;
use super::super::arguments::Arguments;
use super::super::change::{Change, Done, changed, written};

fn change(append: &[&str], remove: &[&str], replace: &[(&str, &str)]) -> Change {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Change {
        append: texts(append),
        remove: texts(remove),
        replace: replace
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
    }
}

/// `a` and `b=1` are added, `quiet` goes, and `root` gets another value.
fn with(loader: Loader, text: &str) -> String {
    let change = change(&["a", "b=1"], &["quiet"], &[("root", "new")]);
    let new = changed(loader, text.as_bytes(), &change, &|_| true, &mut Done::default());
    String::from_utf8(new).unwrap()
}

#[test]
fn each_grammar_keeps_its_form() {
    for (loader, text, wanted) in [
        (
            Loader::Grub,
            "menuentry A {\n\tlinux\t/k quiet x\n}\n",
            "menuentry A {\n\tlinux\t/k x a b=1\n}\n",
        ),
        (
            Loader::Grub,
            "menuentry A {\n linux /k\n}",
            "menuentry A {\n linux /k a b=1\n}",
        ),
        (
            Loader::Grub,
            "menuentry A {\n linux /k  --- quiet \n}",
            "menuentry A {\n linux /k  a b=1 --- \n}",
        ),
        (
            Loader::Grub,
            "menuentry A {\n linux /k 'root=old' ${x} quiet # quiet\n}",
            "menuentry A {\n linux /k root=new ${x} a b=1 # quiet\n}",
        ),
        (
            Loader::Grub,
            "submenu S {\n menuentry A { linuxefi /k; }\n}",
            "submenu S {\n menuentry A { linuxefi /k a b=1; }\n}",
        ),
        (
            Loader::Grub,
            "if x; then\n$linux /k\nelse\nlinux16 /k a\nfi",
            "if x; then\n$linux /k a b=1\nelse\nlinux16 /k a b=1\nfi",
        ),
        (
            Loader::Grub,
            "linux /k quiet \\\n quiet x\r\n",
            "linux /k \\\n x a b=1\r\n",
        ),
        (
            Loader::Grub,
            "initrd /i quiet\necho quiet\nset linux=x",
            "initrd /i quiet\necho quiet\nset linux=x",
        ),
        (
            Loader::Syslinux,
            "LABEL x\n\tKERNEL /k\n\tAPPEND root=old initrd=/i quiet\nlabel y\n linux /k\n append vga=788 --- quiet \n",
            "LABEL x\n\tKERNEL /k\n\tAPPEND root=new initrd=/i a b=1\nlabel y\n linux /k\n append vga=788 a b=1 --- \n",
        ),
        (
            Loader::Syslinux,
            "label x\r\n  linux /k\r\n  initrd /i\r\n",
            "label x\r\n  linux /k\n  append a b=1\r\n  initrd /i\r\n",
        ),
        (
            Loader::Syslinux,
            "append all\nlabel x\nlinux /k\nlabel y\nkernel c.c32\nappend quiet\n",
            "append all\nlabel x\nlinux /k\nappend all a b=1\nlabel y\nkernel c.c32\nappend quiet\n",
        ),
        (
            Loader::Syslinux,
            "label x\nlinux /k\nappend -\n",
            "label x\nlinux /k\nappend a b=1\n",
        ),
        (
            Loader::Syslinux,
            "label x\nlinux /k\ntext help\nappend quiet\nendtext\nappend quiet",
            "label x\nlinux /k\ntext help\nappend quiet\nendtext\nappend a b=1",
        ),
        (
            Loader::SystemdBoot,
            "title T\nlinux /k\noptions root=old quiet\noptions x\n",
            "title T\nlinux /k\noptions root=new\noptions x a b=1\n",
        ),
        (
            Loader::SystemdBoot,
            "title T\nlinux /k\ninitrd /i\n",
            "title T\nlinux /k\noptions a b=1\ninitrd /i\n",
        ),
        (Loader::SystemdBoot, "title T\nefi /k\n", "title T\nefi /k\n"),
        (
            Loader::Builtin,
            "id = 0\n\nentry = A\nkernel = /k\ncmdline = quiet x\n\nentry = B\nkernel = /k\ninitrd = /i\n\nentry = C\naction = reboot\n",
            "id = 0\n\nentry = A\nkernel = /k\ncmdline = x a b=1\n\nentry = B\nkernel = /k\ncmdline = a b=1\ninitrd = /i\n\nentry = C\naction = reboot\n",
        ),
        (
            Loader::Freebsd,
            "# c\nroot=\"old\"\nx=\"1\"\n",
            "# c\nroot=\"new\"\nx=\"1\"\na=\"YES\"\nb=\"1\"\n",
        ),
    ] {
        assert_eq!(with(loader, text), wanted, "{loader:?} {text:?}");
    }
}

#[test]
fn what_is_there_is_not_added_again_and_all_is_counted() {
    let text = "menuentry A {\nlinux /k a quiet quiet root=new\n}\nmenuentry B {\nlinux /k b=1\n}\n";
    let mut done = Done::default();
    let all = change(&["a", "b=1"], &["quiet", "splash"], &[("root", "new"), ("x", "y")]);
    let new = changed(Loader::Grub, text.as_bytes(), &all, &|_| true, &mut done);
    assert_eq!(
        new,
        b"menuentry A {\nlinux /k a root=new b=1\n}\nmenuentry B {\nlinux /k b=1 a\n}\n"
    );
    assert_eq!(
        (done.appended, done.removed, done.replaced),
        (vec![1, 1], vec![2, 0], vec![1, 0])
    );
    let of_b = |arguments: &Arguments| arguments.titles == ["B"];
    let new = changed(Loader::Grub, text.as_bytes(), &all, &of_b, &mut Done::default());
    assert_eq!(
        new,
        b"menuentry A {\nlinux /k a quiet quiet root=new\n}\nmenuentry B {\nlinux /k b=1 a\n}\n"
    );
}

/// As the grammars have them; GRUB's own reading is compared in a machine.
#[test]
fn arguments_are_quoted_by_grammar() {
    for (argument, grub, others) in [
        (
            "console=ttyS0,115200n8",
            "console=ttyS0,115200n8",
            "console=ttyS0,115200n8",
        ),
        ("ds=nocloud;s=/cdrom/", "ds=nocloud\\;s=/cdrom/", "ds=nocloud;s=/cdrom/"),
        ("x=\"a b\"", "\"x=a b\"", "x=\"a b\""),
        ("x=\"a $b\"", "\"x=a \\$b\"", "x=\"a $b\""),
        ("a'b{c}", "a\\'b\\{c\\}", "a'b{c}"),
        ("#x", "\\#x", "#x"),
        ("$x", "\\$x", "$x"),
    ] {
        assert_eq!(written(Loader::Grub, argument), grub);
        assert_eq!(written(Loader::Syslinux, argument), others);
        assert_eq!(written(Loader::SystemdBoot, argument), others);
    }
}
