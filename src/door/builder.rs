//! A manifest made by code.

use std::path::{Path, PathBuf};

use super::{Error, Image, ReadAt};
use crate::ground::input_error::InputError;
use crate::ground::read_at::Shared;
use crate::manifest::{Action, At, Date, DiskLayout, Document, Files, Manifest, MenuEntry, Reference};
use crate::resolve::Environment;

/// The name of the manifest in errors. It names no directory, so paths are relative to the working directory.
const NAME: &str = "image";

/// A bootable image in the making, as a manifest describes it. The same parts give the same bytes on every host.
///
/// Host paths are relative to the working directory; paths of the image begin with a slash. [`build`] reports
/// everything that is wrong with the parts at once.
///
/// [`build`]: Builder::build
///
/// ```
/// use isobuild::{Builder, Menu};
///
/// # let directory = tempfile::tempdir().unwrap();
/// # let (tree, kernel) = (directory.path().join("tree"), directory.path().join("vmlinuz"));
/// # std::fs::create_dir(&tree).unwrap();
/// # let mut linux = vec![0u8; 4096];
/// # linux[0x202..0x208].copy_from_slice(b"HdrS\x0f\x02");
/// # linux[0x211] = 1;
/// # linux[0x238..0x23a].copy_from_slice(&[0xff, 0x07]);
/// # std::fs::write(&kernel, linux).unwrap();
/// let image = Builder::new("RESCUE")
///     .dir(&tree, "/")
///     .bytes("Built by ACME.\n", "/about.txt")
///     .menu(Menu::linux(&kernel).title("Rescue").cmdline("quiet"))
///     .menu(Menu::reboot())
///     .build()?;
/// assert!(image.facts()?.boots("bios-usb".parse().unwrap()));
/// # Ok::<(), isobuild::Error>(())
/// ```
#[derive(Debug)]
pub struct Builder {
    manifest: Manifest,
    /// The first path that is not UTF-8, which a manifest is.
    not_text: Option<PathBuf>,
}

impl Builder {
    /// An image with this volume identifier (ECMA-119 §9.4.7), which has 32 bytes at most.
    pub fn new(volume_id: &str) -> Self {
        let manifest = Manifest {
            volume_id: Some(volume_id.to_owned().into()),
            ..Manifest::default()
        };
        Self {
            manifest,
            not_text: None,
        }
    }

    /// Adds the contents of a host directory to a directory of the image.
    #[must_use]
    pub fn dir(self, from: impl AsRef<Path>, to: &str) -> Self {
        self.file(from, to)
    }

    /// Adds a host file. It keeps its name if `to` ends in a slash.
    #[must_use]
    pub fn file(mut self, from: impl AsRef<Path>, to: &str) -> Self {
        let from = self.text(from.as_ref());
        self.add(Files {
            from: Some(from.into()),
            ..Files::at(to)
        })
    }

    /// Adds a file with these bytes.
    #[must_use]
    pub fn bytes(self, bytes: impl Into<Vec<u8>>, to: &str) -> Self {
        self.source(bytes.into(), to)
    }

    /// Adds a file whose bytes are read a piece at a time when the image is written. If anything boots, planning reads some of them too, for
    /// the identity of the image. The bytes must not change in between.
    ///
    /// ```
    /// use isobuild::{Builder, ReadAt};
    ///
    /// /// A file of so many bytes, all 7.
    /// struct Sevens(u64);
    ///
    /// impl ReadAt for Sevens {
    ///     fn size(&self) -> u64 {
    ///         self.0
    ///     }
    ///
    ///     fn read_exact_at(&self, buffer: &mut [u8], _offset: u64) -> std::io::Result<()> {
    ///         buffer.fill(7);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let image = Builder::new("SEVENS").source(Sevens(5_000_000), "/sevens.bin").build()?;
    /// let mut bytes = Vec::new();
    /// image.write_to(&mut bytes)?;
    /// assert!(bytes.iter().filter(|&&byte| byte == 7).count() >= 5_000_000);
    /// # Ok::<(), isobuild::Error>(())
    /// ```
    #[must_use]
    pub fn source(self, source: impl ReadAt + Send + Sync + 'static, to: &str) -> Self {
        self.add(Files {
            given: Some(Shared::new(source)),
            ..Files::at(to)
        })
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn link(self, target: &str, to: &str) -> Self {
        self.add(Files {
            link: Some(target.to_owned().into()),
            ..Files::at(to)
        })
    }

    /// Adds an entry to the menu, which the built-in loader shows.
    #[must_use]
    pub fn menu(mut self, entry: Menu) -> Self {
        self.not_text = self.not_text.or(entry.not_text);
        self.manifest.menu.push(entry.entry.into());
        self
    }

    /// Sets the partition tables. The default is [`Layout::Universal`] if anything boots, else [`Layout::None`].
    #[must_use]
    pub fn layout(mut self, layout: Layout) -> Self {
        let layout = match layout {
            Layout::Universal => DiskLayout::Universal,
            Layout::MultiSector => DiskLayout::MultiSector,
            Layout::Gpt => DiskLayout::Gpt,
            Layout::Mbr => DiskLayout::Mbr,
            Layout::Isohybrid => DiskLayout::Isohybrid,
            Layout::None => DiskLayout::None,
        };
        self.manifest.disk.layout = Some(layout.into());
        self
    }

    /// Sets every date of the image, in seconds since 1970. The default is 2000-01-01.
    #[must_use]
    pub fn timestamp(mut self, seconds: i64) -> Self {
        self.manifest.iso.timestamp = Some(Date::from_unix(seconds).into());
        self
    }

    /// Reads the inputs and decides every address.
    ///
    /// # Errors
    /// Every fault of the parts at once, or the first input that cannot be used.
    pub fn build(self) -> Result<Image, Error> {
        if let Some(path) = self.not_text {
            return Err(InputError::unusable(&path, "the path is not UTF-8, and a manifest is").into());
        }
        let document = Document::of(self.manifest, Path::new(NAME))?;
        Image::of(document, &Environment::default())
    }

    fn add(mut self, files: Files) -> Self {
        self.manifest.files.push(files.into());
        self
    }

    fn text(&mut self, path: &Path) -> String {
        text(path, &mut self.not_text)
    }
}

/// A path as a manifest names it.
fn text(path: &Path, not_text: &mut Option<PathBuf>) -> String {
    match path.to_str() {
        Some(text) => text.to_owned(),
        None => {
            not_text.get_or_insert_with(|| path.to_owned());
            String::new()
        }
    }
}

/// An entry of the menu. A file is one of the host, or one of the image if the path begins with `iso:/`.
///
/// ```
/// use isobuild::{Builder, Menu};
///
/// let error = Builder::new("MENU").menu(Menu::linux("no such kernel")).build().unwrap_err();
/// assert!(error.to_string().contains("no such kernel"));
/// ```
#[derive(Debug)]
pub struct Menu {
    entry: MenuEntry,
    not_text: Option<PathBuf>,
}

impl Menu {
    /// A Linux kernel.
    pub fn linux(kernel: impl AsRef<Path>) -> Self {
        let mut menu = Self::of(MenuEntry::default());
        menu.entry.kernel = Some(menu.reference(kernel.as_ref()));
        menu
    }

    /// A program for UEFI, such as a unified kernel image.
    pub fn efi(program: impl AsRef<Path>) -> Self {
        let mut menu = Self::of(MenuEntry::default());
        let program = menu.reference(program.as_ref());
        menu.entry.efi.push(program);
        menu
    }

    /// Starts the machine again.
    pub fn reboot() -> Self {
        Self::action(Action::Reboot)
    }

    /// Switches the machine off.
    pub fn power_off() -> Self {
        Self::action(Action::Poweroff)
    }

    /// Opens the firmware's set-up; under UEFI alone.
    pub fn firmware_setup() -> Self {
        Self::action(Action::FirmwareSetup)
    }

    /// What the menu shows.
    #[must_use]
    pub fn title(mut self, title: &str) -> Self {
        self.entry.title = Some(title.to_owned().into());
        self
    }

    /// A further initrd of the kernel.
    #[must_use]
    pub fn initrd(mut self, initrd: impl AsRef<Path>) -> Self {
        let initrd = self.reference(initrd.as_ref());
        self.entry.initrd.push(initrd);
        self
    }

    /// The command line of the kernel or program.
    #[must_use]
    pub fn cmdline(mut self, line: &str) -> Self {
        self.entry.cmdline = Some(line.to_owned().into());
        self
    }

    fn of(entry: MenuEntry) -> Self {
        Self { entry, not_text: None }
    }

    fn action(action: Action) -> Self {
        Self::of(MenuEntry {
            action: Some(action.into()),
            ..MenuEntry::default()
        })
    }

    fn reference(&mut self, path: &Path) -> At<Reference> {
        Reference::from(text(path, &mut self.not_text)).into()
    }
}

/// Which partition tables an image has.
///
/// ```
/// use isobuild::{Builder, Layout, PartitionTable};
///
/// let image = Builder::new("DISK").layout(Layout::Gpt).build()?;
/// let tables: Vec<_> = image.facts()?.partitions().iter().map(|partition| partition.table).collect();
/// assert_eq!(tables, [PartitionTable::Mbr, PartitionTable::Gpt]);
/// # Ok::<(), isobuild::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// GPT, and an active slot of type 0 for BIOSes that ask for one.
    Universal,
    /// The same with a second GPT and a second ESP for media with logical sectors of 4096 bytes.
    MultiSector,
    /// GPT and a plain protective MBR.
    Gpt,
    /// An MBR with the ESP and no GPT.
    Mbr,
    /// An MBR whose first slot spans the image and whose second is the ESP; no GPT.
    Isohybrid,
    /// None: a zero system area.
    None,
}
