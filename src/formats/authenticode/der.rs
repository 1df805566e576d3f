//! DER (X.690) element by element: what is signed has to stay as it stands, byte by byte.

use x509_cert::der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::der::{Decode, Error, ErrorKind, Reader, SliceReader, Tag, TagNumber};

/// An element with its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    /// Header and content.
    pub(super) whole: &'a [u8],
    any: AnyRef<'a>,
}

impl<'a> Element<'a> {
    /// The element that `bytes` begin with.
    pub(super) fn first(bytes: &'a [u8]) -> Result<Self, Error> {
        Self::read(&mut SliceReader::new(bytes)?)
    }

    fn read(reader: &mut SliceReader<'a>) -> Result<Self, Error> {
        let whole = reader.tlv_bytes()?;
        let any = AnyRef::from_der(whole)?;
        Ok(Self { whole, any })
    }

    /// The content alone.
    pub(super) fn content(&self) -> &'a [u8] {
        self.any.value()
    }

    /// Whether it is `[number]`, constructed.
    pub(super) fn is_context(&self, number: u8) -> bool {
        let number = TagNumber(number.into());
        self.any.header().tag()
            == Tag::ContextSpecific {
                constructed: true,
                number,
            }
    }

    pub(super) fn is(&self, tag: Tag) -> bool {
        self.any.header().tag() == tag
    }

    /// The content, if it is of this kind.
    pub(super) fn content_of(&self, tag: Tag) -> Result<&'a [u8], Error> {
        match self.is(tag) {
            true => Ok(self.content()),
            false => Err(ErrorKind::TagUnexpected {
                expected: Some(tag),
                actual: self.any.header().tag(),
            }
            .into()),
        }
    }

    /// The elements in it, one after the other.
    pub(super) fn elements(&self) -> Result<Vec<Self>, Error> {
        if !self.any.header().is_constructed() {
            return Err(ErrorKind::Noncanonical {
                tag: self.any.header().tag(),
            }
            .into());
        }
        let mut reader = SliceReader::new(self.content())?;
        let mut elements = Vec::new();
        while !reader.is_finished() {
            elements.push(Self::read(&mut reader)?);
        }
        Ok(elements)
    }

    pub(super) fn object_identifier(&self) -> Result<ObjectIdentifier, Error> {
        self.any.decode_as()
    }

    /// AlgorithmIdentifier: the algorithm without its parameters.
    pub(super) fn algorithm(&self) -> Result<ObjectIdentifier, Error> {
        nth(&self.elements()?, 0)?.object_identifier()
    }
}

/// A field that has to be there.
pub(super) fn nth<'e, 'a>(elements: &'e [Element<'a>], index: usize) -> Result<&'e Element<'a>, Error> {
    elements.get(index).ok_or_else(|| ErrorKind::Failed.into())
}
