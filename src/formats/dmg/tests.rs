use super::*;

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap())
}

#[test]
fn the_trailer_says_where_everything_is() {
    // Zeros, a chunk of sevens, zeros, and a last chunk of one sector.
    let size = (4 << 18) + 512;
    let mut disk = vec![0; size as usize];
    disk[1 << 18..2 << 18].fill(7);
    disk[4 << 18..].fill(9);
    let mut writer = Writer::new(size).unwrap();
    let first = Chunk::of(&disk[1 << 18..2 << 18]).unwrap();
    let last = Chunk::of(&disk[4 << 18..]).unwrap();
    assert_eq!(writer.place(1, &first), 0);
    assert_eq!(writer.place(4, &last), first.bytes.len() as u64);
    let data = [&first.bytes[..], &last.bytes].concat();
    let (pieces, length) = writer.finish([3; 16]);
    assert_eq!((pieces.len(), pieces[0].0), (1, data.len() as u64));
    let end = &pieces[0].1;
    assert_eq!(length, (data.len() + end.len()) as u64);
    let trailer = &end[end.len() - 512..];
    assert_eq!(&trailer[..12], b"koly\0\0\0\x04\0\0\x02\0");
    assert_eq!(number(trailer, 32), data.len() as u64);
    assert_eq!(trailer[64..80], [3; 16]);
    assert_eq!(
        trailer[80..92],
        [&[0, 0, 0, 2, 0, 0, 0, 32][..], &crc32fast::hash(&data).to_be_bytes()].concat()
    );
    assert_eq!(number(trailer, 216), data.len() as u64);
    assert_eq!(number(trailer, 224), (end.len() - 512) as u64);
    let disk_sum = crc32fast::hash(&disk);
    assert_eq!(
        trailer[360..364],
        crc32fast::hash(&disk_sum.to_be_bytes()).to_be_bytes()
    );
    assert_eq!(trailer[488..492], [0, 0, 0, 1]);
    assert_eq!(number(trailer, 492), size / 512);

    let list = std::str::from_utf8(&end[..end.len() - 512]).unwrap();
    let coded = list.split("<data>\n").nth(1).unwrap().split('\n').next().unwrap();
    let table = <base64ct::Base64 as base64ct::Encoding>::decode_vec(coded).unwrap();
    assert_eq!(table[..8], *b"mish\0\0\0\x01");
    assert_eq!(table[72..76], disk_sum.to_be_bytes());
    // Zeros, chunk, zeros, chunk, terminator, as type, first sector, sectors, offset, length.
    assert_eq!(table[200..204], [0, 0, 0, 5]);
    let runs = table[204..].chunks(40).map(|run| {
        let kind = u32::from_be_bytes(run[..4].try_into().unwrap());
        (kind, [8, 16, 24, 32].map(|at| number(run, at)))
    });
    let (a, b) = (first.bytes.len() as u64, last.bytes.len() as u64);
    let wanted = [
        (0, [0, 512, 0, 0]),
        (0x8000_0005, [512, 512, 0, a]),
        (0, [1024, 1024, a, 0]),
        (0x8000_0005, [2048, 1, a, b]),
        (0xffff_ffff, [2049, 0, a + b, 0]),
    ];
    assert!(runs.eq(wanted));
}
