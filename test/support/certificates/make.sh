#!/bin/sh
# Makes the certificates of the tests anew. They last 100 years, so this is run only to change them. Needs openssl.
# good, client: signed by ca. The others are bad in one way each (P009-P016): expired, future, wrong-host, common-name (the
# right name, but not in subjectAltName), self-signed, unknown-ca (signed by a CA nobody is told about). rsa: for clients of OAuth.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
LOCAL='DNS:localhost,IP:127.0.0.1'

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }

authority() { # file, name
  key "$work/$1.key"
  openssl req -x509 -new -key "$work/$1.key" -subj "/CN=$2" -days 36500 -out "$work/$1.pem" \
    -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign'
  mkdir "$work/$1"
  : > "$work/$1/index"
  cat > "$work/$1.cnf" <<END
[ca]
default_ca = it
[it]
database = $work/$1/index
new_certs_dir = $work/$1
certificate = $work/$1.pem
private_key = $work/$1.key
default_md = sha256
policy = any
rand_serial = yes
copy_extensions = copy
[any]
commonName = supplied
END
}

leaf() { # file, authority, names, from, to, common name
  key "$1.key"
  openssl req -new -key "$1.key" -subj "/CN=${6:-popfetch test $1}" ${3:+-addext "subjectAltName=$3"} -out "$work/$1.csr"
  openssl ca -batch -notext -config "$work/$2.cnf" -in "$work/$1.csr" -out "$1.pem" -startdate "$4" -enddate "$5" 2>/dev/null
}

authority ca 'popfetch test CA'
authority stranger 'popfetch test stranger'
cp "$work/ca.pem" ca.pem
leaf good ca "$LOCAL" 20200101000000Z 21200101000000Z
leaf client ca 'email:client@example.org' 20200101000000Z 21200101000000Z
leaf expired ca "$LOCAL" 20200101000000Z 20210101000000Z
leaf future ca "$LOCAL" 21100101000000Z 21200101000000Z
leaf wrong-host ca 'DNS:elsewhere.example.org' 20200101000000Z 21200101000000Z
leaf common-name ca '' 20200101000000Z 21200101000000Z localhost
leaf unknown-ca stranger "$LOCAL" 20200101000000Z 21200101000000Z
key self-signed.key
openssl req -x509 -new -key self-signed.key -subj '/CN=popfetch test self-signed' -days 36500 -addext "subjectAltName=$LOCAL" \
  -out self-signed.pem
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key 2>/dev/null
openssl req -x509 -new -key rsa.key -subj '/CN=popfetch test rsa' -days 36500 -out rsa.pem
