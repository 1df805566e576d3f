//! Images with UDF, and what others have to find in them.

use super::run;
use qemu_tests::example::Example;
use qemu_tests::listing::{Entry, Listing, files_only, of_directory};
use qemu_tests::{inside, odd, tools};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An ESP that ends with a file and free space which UDF does not have.
const ESP: &str = "[boot.uefi]\nsize = \"12MiB\"\n[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"tree/lengths/65537\"\n\
                   \"/outside\" = \"tree/lengths/2047\"\n";

/// Names of 242 bytes in one directory: their descriptors cross blocks at many places.
const LONG: usize = 60;

/// An image and what is in its UDF volume.
pub(super) struct Subject {
    pub(super) tree: PathBuf,
    pub(super) image: PathBuf,
    pub(super) label: String,
    pub(super) files: Listing,
    /// How many names have their file in common with an earlier one.
    pub(super) linked: usize,
    /// By the path in the tree of the host.
    pub(super) renamed: BTreeMap<String, String>,
}

impl Subject {
    pub(super) fn new(dir: &Path, more: &str, has_esp: bool) -> Result<Self, String> {
        // pycdlib and the guest have a path a line.
        let esp = if has_esp { ESP } else { "" };
        let mut more = format!("preserve = [\"hardlinks\"]\n{more}{esp}");
        let long = |number: usize| format!("{}{number}", "long".repeat(60));
        for name in (10..10 + LONG).map(long) {
            more += &format!("[[files]]\ntext = \"{name}\"\nto = \"/long/{name}\"\n");
        }
        let (tree, image) = odd::image(dir, &["new\nline"], &more)?;
        let manifest = dir.join("odd.toml");
        let plan = inside::isobuild(&["plan".as_ref(), "--json".as_ref(), manifest.as_os_str()])?;
        let plan: Value = serde_json::from_slice(&plan.stdout).map_err(|e| e.to_string())?;
        let renamed = renamed(&plan)?;
        let mut files = Listing::new();
        for (path, entry) in files_only(&of_directory(&tree)?) {
            files.insert(in_udf(&renamed, &path), entry);
        }
        for name in (10..10 + LONG).map(long) {
            files.insert(format!("/long/{name}"), Entry::file(name.as_bytes()));
        }
        if has_esp {
            // What is under /EFI is in the tree too.
            let loader = files.get("/lengths/65537").cloned().ok_or("no loader")?;
            files.insert("/EFI/BOOT/BOOTX64.EFI".to_owned(), loader);
        }
        Ok(Self {
            tree,
            image,
            label: "ODD".to_owned(),
            files,
            linked: 1,
            renamed,
        })
    }

    /// A bridge as genisoimage makes it: beside Joliet and Rock Ridge, and a file that has two names.
    pub(super) fn of_genisoimage(dir: &Path) -> Result<Self, String> {
        let tree = dir.join("tree");
        for length in [0, 1, 2047, 2048, 2049, 100_000] {
            let path = tree.join(format!("lengths/{length}"));
            fs::create_dir_all(tree.join("lengths")).map_err(|e| e.to_string())?;
            fs::write(path, vec![b'x'; length]).map_err(|e| e.to_string())?;
        }
        let image = dir.join("genisoimage.iso");
        let mut genisoimage = Command::new(tools::find("genisoimage")?);
        genisoimage.args(["-quiet", "-R", "-J", "-D", "-udf", "-V", "ODD", "-o"]);
        run(genisoimage.arg(&image).arg(&tree))?;
        Ok(Self {
            files: files_only(&of_directory(&tree)?),
            tree,
            image,
            label: "ODD".to_owned(),
            linked: 0,
            renamed: BTreeMap::new(),
        })
    }

    /// The same after it was changed in place: a file goes, another gets other bytes, and directories come.
    pub(super) fn grown(mut self, dir: &Path) -> Result<Self, String> {
        let mut manifest = format!(
            "output = \"grown.iso\"\n[base]\nimage = {:?}\nremove = [\"/lengths/2047\"]\n",
            self.image
        );
        self.files.remove("/lengths/2047").ok_or("no file to remove")?;
        fs::remove_file(self.tree.join("lengths/2047")).map_err(|e| e.to_string())?;
        fs::write(self.tree.join("lengths/1"), "/lengths/1").map_err(|e| e.to_string())?;
        let names = (0..40).map(|number| format!("/grown/deep/{}{number}", "name ".repeat(40)));
        for path in names.chain(["/lengths/1".to_owned(), "/grown/one".to_owned()]) {
            manifest += &format!("[[files]]\ntext = \"{path}\"\nto = \"{path}\"\n");
            self.files.insert(path.clone(), Entry::file(path.as_bytes()));
        }
        let path = dir.join("grown.toml");
        fs::write(&path, manifest).map_err(|e| e.to_string())?;
        let built = inside::isobuild(&[path.as_os_str()])?;
        if !built.status.success() {
            return Err(String::from_utf8_lossy(&built.stderr).into_owned());
        }
        self.image = dir.join("grown.iso");
        Ok(self)
    }

    pub(super) fn of(example: &Example) -> Result<Self, String> {
        let image = example.image()?.to_owned();
        let facts = inside::isobuild(&["inspect".as_ref(), "--json".as_ref(), image.as_os_str()])?;
        let facts: Value = serde_json::from_slice(&facts.stdout).map_err(|e| e.to_string())?;
        Ok(Self {
            tree: example.dir.clone(),
            image,
            label: facts["volume_id"].as_str().ok_or("no label")?.to_owned(),
            files: example.udf()?.ok_or("no files in UDF")?,
            linked: 0,
            renamed: BTreeMap::new(),
        })
    }
}

/// The names that UDF has in another form, by their paths.
fn renamed(plan: &Value) -> Result<BTreeMap<String, String>, String> {
    let mut renamed = BTreeMap::new();
    for mapped in plan["name_map"].as_array().ok_or("no map of names")? {
        let text = |key: &str| mapped[key].as_str().ok_or_else(|| mapped.to_string());
        if text("index")? == "udf" {
            let path = inside::bytes(text("path")?);
            renamed.insert(String::from_utf8_lossy(&path).into_owned(), text("name")?.to_owned());
        }
    }
    match renamed.is_empty() {
        true => Err("no name has another form".to_owned()),
        false => Ok(renamed),
    }
}

/// The path that UDF has for one of the tree.
pub(super) fn in_udf(renamed: &BTreeMap<String, String>, path: &str) -> String {
    let (mut host, mut udf) = (String::new(), String::new());
    for name in path.split('/').skip(1) {
        host = format!("{host}/{name}");
        udf = format!("{udf}/{}", renamed.get(&host).map_or(name, String::as_str));
    }
    udf
}
