//! What the bytes of an extent are.

use std::fmt;

/// What the bytes of an extent are.
///
/// ```
/// use isobuild::{Builder, What};
///
/// let facts = Builder::new("DATA").bytes("x", "/x").build()?.facts()?;
/// let first = &facts.extents()[0];
/// assert_eq!((first.what, first.offset), (What::PrimaryDescriptor, 32_768));
/// assert_eq!(first.what.to_string(), "primary volume descriptor");
/// # Ok::<(), isobuild::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum What {
    /// Boot code, disk signature and four slots.
    MasterBootRecord,
    /// The record of a logical partition.
    ExtendedBootRecord,
    /// UEFI 5.3.2.
    GptHeader,
    /// UEFI 5.3.3.
    GptEntries,
    /// The copy before the backup header.
    BackupGptEntries,
    /// The last logical sector.
    BackupGptHeader,
    /// Inside Macintosh: Devices, 3-22.
    ApplePartitionMap,
    /// ECMA-119 §9.4.
    PrimaryDescriptor,
    /// El Torito §2.0, figure 7.
    BootRecord,
    /// ECMA-119 §9.5 with a Joliet escape sequence.
    JolietDescriptor,
    /// ECMA-119 §9.5 of version 2.
    EnhancedDescriptor,
    /// A volume descriptor of another kind.
    OtherDescriptor,
    /// ECMA-119 §9.3.
    Terminator,
    /// ECMA-119 §7.9, little-endian.
    PathTableL,
    /// ECMA-119 §7.9, big-endian.
    PathTableM,
    /// The same for Joliet, little-endian.
    JolietPathTableL,
    /// The same for Joliet, big-endian.
    JolietPathTableM,
    /// ECMA-119 §7.8.
    Directory,
    /// The same for Joliet.
    JolietDirectory,
    /// SUSP 5.1.
    ContinuationArea,
    /// El Torito §2.0.
    BootCatalog,
    /// An image that only the boot catalog points at.
    BootImage,
    /// The content of a file.
    File,
    /// ECMA-167 2/9.1.2 and 3/9.1: that there is UDF.
    UdfRecognition,
    /// ECMA-167 3/10.2.
    UdfAnchor,
    /// ECMA-167 3/8.4.2.
    UdfVolumeDescriptors,
    /// ECMA-167 3/10.10.
    UdfIntegrity,
    /// ECMA-167 4/14.1.
    UdfFileSet,
    /// ECMA-167 4/14.9 and 4/14.17.
    UdfFileEntry,
    /// ECMA-167 4/14.5.
    UdfAllocation,
    /// ECMA-167 4/14.4.
    UdfDirectory,
    /// The tables of virtual, sparable and metadata partitions.
    UdfPartitionTable,
    /// FAT: the first sector.
    FatBootSector,
    /// FAT32: free clusters.
    FatFsInfo,
    /// FAT32: the copy of the boot sector.
    FatBackupBootSector,
    /// FAT: the first allocation table.
    FatTable1,
    /// FAT: the second allocation table.
    FatTable2,
    /// FAT12 and FAT16: the fixed root directory.
    FatRootDirectory,
    /// FAT: a directory that is a cluster chain.
    FatDirectory,
    /// What is in a file system and is not described: free blocks and structures, or all of it.
    FileSystem,
    /// What is in a partition and is not recognised.
    Partition,
    /// Bytes that are not zero, and that nothing points at.
    Unknown,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::MasterBootRecord => "master boot record",
            Self::ExtendedBootRecord => "extended boot record",
            Self::GptHeader => "GPT header",
            Self::GptEntries => "GPT partition entry array",
            Self::BackupGptEntries => "backup GPT partition entry array",
            Self::BackupGptHeader => "backup GPT header",
            Self::ApplePartitionMap => "Apple partition map",
            Self::PrimaryDescriptor => "primary volume descriptor",
            Self::BootRecord => "boot record",
            Self::JolietDescriptor => "Joliet volume descriptor",
            Self::EnhancedDescriptor => "enhanced volume descriptor",
            Self::OtherDescriptor => "volume descriptor",
            Self::Terminator => "volume descriptor set terminator",
            Self::PathTableL => "path table L",
            Self::PathTableM => "path table M",
            Self::JolietPathTableL => "Joliet path table L",
            Self::JolietPathTableM => "Joliet path table M",
            Self::Directory => "directory",
            Self::JolietDirectory => "Joliet directory",
            Self::ContinuationArea => "continuation area",
            Self::BootCatalog => "boot catalog",
            Self::BootImage => "boot image",
            Self::File => "file",
            Self::UdfRecognition => "UDF volume recognition",
            Self::UdfAnchor => "UDF anchor",
            Self::UdfVolumeDescriptors => "UDF volume descriptors",
            Self::UdfIntegrity => "UDF logical volume integrity",
            Self::UdfFileSet => "UDF file set descriptor",
            Self::UdfFileEntry => "UDF file entry",
            Self::UdfAllocation => "UDF allocation descriptors",
            Self::UdfDirectory => "UDF directory",
            Self::UdfPartitionTable => "UDF partition table",
            Self::FatBootSector => "FAT boot sector",
            Self::FatFsInfo => "FAT file system information",
            Self::FatBackupBootSector => "FAT backup boot sector",
            Self::FatTable1 => "file allocation table 1",
            Self::FatTable2 => "file allocation table 2",
            Self::FatRootDirectory => "FAT root directory",
            Self::FatDirectory => "FAT directory",
            Self::FileSystem => "file system",
            Self::Partition => "partition",
            Self::Unknown => "unknown",
        })
    }
}
