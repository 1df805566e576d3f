//! The forms that a file can have. Each says how long its units are, how a unit is encoded and where it goes, and what is written last.

use std::io;

use sha2::{Digest as _, Sha256};
use structured_zstd::encoding::{CompressionLevel, FrameCompressor};
use twox_hash::XxHash3_128;

use super::format::{Compressor, Container};
use crate::formats::{dmg, gzip, qcow2, vhd, vhdx, vmdk, xz};

/// Bytes of a gzip part: the window of its format is 32 KiB, so that a part loses little.
const GZIP_UNIT: usize = 1 << 20;
/// Bytes of a zstd frame: the window of level 3 is 2 MiB.
const ZSTD_UNIT: usize = 4 << 20;
/// An xz block is as long as so many dictionaries, as with `xz -T`.
const XZ_DICTIONARIES: usize = 3;
/// The shortest xz block, as xz has it.
const XZ_LEAST: usize = 1 << 20;

/// A form and the state of its file.
#[derive(Debug)]
pub(super) struct Encoder {
    kind: Kind,
    /// Where the next unit goes in a form whose units follow each other.
    next: u64,
    identity: Identity,
}

#[derive(Debug)]
enum Kind {
    Qcow2(qcow2::Writer),
    Vhd(vhd::Writer),
    Vhdx(vhdx::Writer),
    Vmdk(vmdk::Writer),
    Dmg(dmg::Writer),
    Gzip(u32, gzip::Trailer),
    Xz(u32, xz::Index),
    Zstd(u32),
}

/// How a unit is encoded. Any thread can do it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Coder {
    Grain,
    Chunk,
    Gzip(u32),
    Xz(u32),
    Zstd(u32),
}

/// A unit as it stands in the file.
#[derive(Debug)]
pub(super) struct Encoded {
    unit: Form,
    mark: u128,
}

#[derive(Debug)]
enum Form {
    Bytes(Vec<u8>),
    Chunk(dmg::Chunk),
    Part(gzip::Part),
    Block(xz::Block),
}

impl Encoded {
    /// The bytes for the file.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.unit {
            Form::Bytes(bytes) => bytes,
            Form::Chunk(chunk) => &chunk.bytes,
            Form::Part(part) => &part.bytes,
            Form::Block(block) => &block.bytes,
        }
    }
}

impl Coder {
    /// Encodes the unit with this number.
    pub(super) fn encode(self, number: u64, bytes: &[u8]) -> io::Result<Encoded> {
        let unit = match self {
            Self::Grain => Form::Bytes(vmdk::Writer::grain(number, bytes)?),
            Self::Chunk => Form::Chunk(dmg::Chunk::of(bytes)?),
            Self::Gzip(level) => Form::Part(gzip::Part::of(bytes, level)?),
            Self::Xz(level) => Form::Block(xz::Block::of(bytes, level)?),
            Self::Zstd(level) => {
                let mut encoder: FrameCompressor = FrameCompressor::new(CompressionLevel::from_level(level as i32));
                encoder.set_content_checksum(true);
                Form::Bytes(encoder.compress_independent_frame(bytes))
            }
        };
        let mark = match self {
            Self::Grain | Self::Chunk => XxHash3_128::oneshot(bytes),
            Self::Gzip(_) | Self::Xz(_) | Self::Zstd(_) => 0,
        };
        Ok(Encoded { unit, mark })
    }
}

impl Encoder {
    /// A container for a disk of `size` bytes. `None` for a form that is the image's bytes as they are. The error is the size of the longest
    /// disk.
    pub(super) fn of_container(container: Container, size: u64) -> Result<Option<Self>, u64> {
        let kind = match container {
            Container::Raw | Container::Img => return Ok(None),
            Container::Qcow2 => Kind::Qcow2(qcow2::Writer::new(size)?),
            Container::Vhd(kind) => Kind::Vhd(vhd::Writer::new(kind, size)?),
            Container::Vhdx => Kind::Vhdx(vhdx::Writer::new(size)?),
            Container::Vmdk => Kind::Vmdk(vmdk::Writer::new(size)?),
            Container::Dmg => Kind::Dmg(dmg::Writer::new(size)?),
        };
        Ok(Some(Self::new(kind, size)))
    }

    /// A compressed file.
    pub(super) fn of_compressor(compressor: Compressor, level: Option<u32>, size: u64) -> Self {
        let level = level.unwrap_or(compressor.levels().2);
        Self::new(
            match compressor {
                Compressor::Gzip => Kind::Gzip(level, gzip::Trailer::default()),
                Compressor::Xz => Kind::Xz(level, xz::Index::default()),
                Compressor::Zstd => Kind::Zstd(level),
            },
            size,
        )
    }

    fn new(kind: Kind, size: u64) -> Self {
        let next = match kind {
            Kind::Gzip(..) => gzip::HEADER.len() as u64,
            Kind::Xz(..) => xz::header().len() as u64,
            _ => 0,
        };
        Self {
            kind,
            next,
            identity: Identity::of(size),
        }
    }

    /// The length of a unit.
    pub(super) fn unit(&self) -> usize {
        match self.kind {
            Kind::Qcow2(_) => qcow2::Writer::UNIT as usize,
            Kind::Vhd(_) => vhd::Writer::UNIT as usize,
            Kind::Vhdx(_) => vhdx::Writer::UNIT as usize,
            Kind::Vmdk(_) => vmdk::Writer::UNIT as usize,
            Kind::Dmg(_) => dmg::Writer::UNIT as usize,
            Kind::Gzip(..) => GZIP_UNIT,
            Kind::Xz(level, _) => (XZ_DICTIONARIES * xz::dictionary(level)).max(XZ_LEAST),
            Kind::Zstd(_) => ZSTD_UNIT,
        }
    }

    /// How a unit is encoded. `None` if it stands in the file as it is.
    pub(super) fn coder(&self) -> Option<Coder> {
        match self.kind {
            Kind::Qcow2(_) | Kind::Vhd(_) | Kind::Vhdx(_) => None,
            Kind::Vmdk(_) => Some(Coder::Grain),
            Kind::Dmg(_) => Some(Coder::Chunk),
            Kind::Gzip(level, _) => Some(Coder::Gzip(level)),
            Kind::Xz(level, _) => Some(Coder::Xz(level)),
            Kind::Zstd(level) => Some(Coder::Zstd(level)),
        }
    }

    /// Whether units of zeros are in the file too.
    pub(super) fn has_zeros(&self) -> bool {
        matches!(self.kind, Kind::Gzip(..) | Kind::Xz(..) | Kind::Zstd(_))
    }

    /// The offset for a unit that is not encoded. The numbers ascend.
    pub(super) fn place(&mut self, number: u64, bytes: &[u8]) -> u64 {
        // A qcow2 file has no identifier.
        if !matches!(self.kind, Kind::Qcow2(_)) {
            self.identity.add(number, XxHash3_128::oneshot(bytes));
        }
        match &mut self.kind {
            Kind::Qcow2(writer) => writer.place(number),
            Kind::Vhd(writer) => writer.place(number),
            Kind::Vhdx(writer) => writer.place(number),
            _ => self.follow(bytes.len()),
        }
    }

    /// The offset for an encoded unit. The numbers ascend.
    pub(super) fn place_encoded(&mut self, number: u64, encoded: &Encoded) -> u64 {
        self.identity.add(number, encoded.mark);
        match (&mut self.kind, &encoded.unit) {
            (Kind::Vmdk(writer), Form::Bytes(bytes)) => writer.place(number, bytes.len() as u64),
            (Kind::Dmg(writer), Form::Chunk(chunk)) => writer.place(number, chunk),
            (Kind::Gzip(_, trailer), Form::Part(part)) => {
                trailer.add(part);
                self.follow(encoded.bytes().len())
            }
            (Kind::Xz(_, index), Form::Block(block)) => {
                index.add(block);
                self.follow(encoded.bytes().len())
            }
            _ => self.follow(encoded.bytes().len()),
        }
    }

    fn follow(&mut self, length: usize) -> u64 {
        let offset = self.next;
        self.next += length as u64;
        offset
    }

    /// Tables that have become complete, with their offsets.
    pub(super) fn complete(&mut self) -> Vec<(u64, Vec<u8>)> {
        match &mut self.kind {
            Kind::Vmdk(writer) => writer.complete(),
            _ => Vec::new(),
        }
    }

    /// All other structures with their offsets, and the length of the file.
    pub(super) fn finish(self) -> (Vec<(u64, Vec<u8>)>, u64) {
        let id = self.identity.finish();
        let next = self.next;
        let followed = |header: Vec<u8>, end: Vec<u8>| {
            let length = next + end.len() as u64;
            (vec![(0, header), (next, end)], length)
        };
        match self.kind {
            Kind::Qcow2(writer) => writer.finish(),
            Kind::Vhd(writer) => writer.finish(id),
            Kind::Vhdx(writer) => writer.finish(id),
            Kind::Vmdk(writer) => writer.finish(u32::from_le_bytes([id[0], id[1], id[2], id[3]])),
            Kind::Dmg(writer) => writer.finish(id),
            Kind::Gzip(_, trailer) => followed(gzip::HEADER.to_vec(), trailer.end()),
            Kind::Xz(_, index) => followed(xz::header(), index.end()),
            Kind::Zstd(_) => (Vec::new(), next),
        }
    }
}

/// Makes the identifier of a disk from its bytes.
#[derive(Debug)]
struct Identity(Sha256);

impl Identity {
    fn of(size: u64) -> Self {
        Self(Sha256::new().chain_update(size.to_le_bytes()))
    }

    fn add(&mut self, number: u64, mark: u128) {
        self.0.update(number.to_le_bytes());
        self.0.update(mark.to_le_bytes());
    }

    /// RFC 9562 §5.8: a UUID of version 8. Its maker chooses the bits.
    fn finish(self) -> [u8; 16] {
        let digest = self.0.finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        id[6] = id[6] & 0x0f | 0x80;
        id[8] = id[8] & 0x3f | 0x80;
        id
    }
}
