#!/bin/sh
# Makes the files beside this one again, with other keys: `program.efi`, which does nothing, and signatures of it by OpenSSL, sbsign and
# osslsigncode. root has issued inter, inter leaf; leaf has issued child, which it may not; stranger has root's name.
set -eu
cd "$(dirname "$0")"
keys=$(mktemp -d)
issue() { # name, subject, issuer, extensions
    openssl req -newkey rsa:2048 -nodes -keyout "$keys/$1.key" -subj "/CN=$2/" -out "$keys/$1.csr" 2>/dev/null
    printf '%s\n' "$4" > "$keys/$1.ext"
    if [ "$3" = - ]; then signer="-signkey $keys/$1.key"; else signer="-CA $keys/$3.pem -CAkey $keys/$3.key -CAcreateserial"; fi
    # shellcheck disable=SC2086
    openssl x509 -req -in "$keys/$1.csr" $signer -days 36500 -extfile "$keys/$1.ext" -out "$keys/$1.pem" 2>/dev/null
}
ca='basicConstraints=critical,CA:true
keyUsage=critical,keyCertSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid'
end='basicConstraints=critical,CA:false
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid'
issue root "Test Root" - "$ca"
issue inter "Test Intermediate" root "$ca"
issue leaf "Test Leaf" inter "$end"
issue child "Test Child" leaf "$end"
issue stranger "Test Root" - "$ca"
issue modules "Test Modules" - 'extendedKeyUsage=codeSigning,1.3.6.1.4.1.2312.16.1.2'
# A program for x64 of one section, by hand: PE32+, one section of 512 bytes behind headers of 512.
python3 - <<'P'
import struct
pe = bytearray(1024)
pe[0:2] = b'MZ'; pe[0x3C] = 0x80; pe[0x80:0x84] = b'PE\0\0'
struct.pack_into('<HHIIIHH', pe, 0x84, 0x8664, 1, 0, 0, 0, 240, 0x22E)
opt = 0x98
struct.pack_into('<HBBIIIII', pe, opt, 0x20B, 2, 0, 512, 0, 0, 0x1000, 0x1000)
struct.pack_into('<QIIHHHHHHIIIIHH', pe, opt + 24, 0, 0x1000, 512, 0, 0, 0, 0, 0, 0, 0, 0x2000, 512, 0, 10, 0)
struct.pack_into('<I', pe, opt + 108, 16)
struct.pack_into('<8sIIIIIIHHI', pe, opt + 240, b'.text', 512, 0x1000, 512, 512, 0, 0, 0, 0, 0x60000020)
pe[512:514] = b'\x31\xC0'; pe[514] = 0xC3
open('program.efi', 'wb').write(pe)
P
cat "$keys/inter.pem" "$keys/root.pem" > "$keys/chain.pem"
sign() { # output, key, more arguments of sbsign
    output=$1 key=$2; shift 2
    sbsign --key "$keys/$key.key" --cert "$keys/$key.pem" "$@" --output "$keys/signed.efi" program.efi 2>/dev/null
    sbattach --detach "$output" "$keys/signed.efi"
}
sign leaf-with-chain.p7 leaf --addcert "$keys/chain.pem"
sign leaf-alone.p7 leaf
cat "$keys/leaf.pem" "$keys/inter.pem" "$keys/root.pem" > "$keys/all.pem"
sign child.p7 child --addcert "$keys/all.pem"
for hash in sha384 sha512; do
    rm -f "$hash.p7"
    osslsigncode sign -h $hash -key "$keys/root.key" -certs "$keys/root.pem" -in program.efi -out "$keys/$hash.efi" >/dev/null
    osslsigncode extract-signature -in "$keys/$hash.efi" -out "$hash.p7" >/dev/null
done
for name in root inter leaf stranger modules; do
    openssl x509 -in "$keys/$name.pem" -outform DER -out $name.der
done
openssl x509 -in "$keys/root.pem" -text > root.pem
# The one key that stays, to sign with; nobody trusts it.
openssl pkey -in "$keys/root.key" -outform DER -out root.key
rm -r "$keys"
