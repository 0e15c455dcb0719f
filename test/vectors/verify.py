"""A second verifier, apart from the product's: reads decisions.json or revocations.json, prints the verdict of each case.

Nothing but the standard library. Slow and plain on purpose: it is there to disagree with the first one.
"""

import hashlib
import json
import re
import sys
import unicodedata

BYTES_MAX = 16 * 1024
SAFE = 2**53 - 1
SKEW_MS = 120_000


class Refused(Exception):
    """Carries the name by which a decision is refused."""


# --- bytes: the JSON subset and its canonical form (RFC 8785) ---------------------------------------------------------


def number(text):
    value = float(text)
    if text == "-0" or value != int(value) or abs(int(value)) > SAFE:
        raise Refused("malformed")
    return int(value)


def never(_):
    raise Refused("malformed")


def check(value, depth=1):
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        if abs(value) > SAFE:
            raise Refused("malformed")
        return
    if isinstance(value, str):
        if len(value) > 2_000 or any(0xD800 <= ord(char) <= 0xDFFF for char in value):
            raise Refused("malformed")
        if unicodedata.normalize("NFC", value) != value:
            raise Refused("malformed")
        return
    if value is None or depth > 8:
        raise Refused("malformed")
    for item in value if isinstance(value, list) else value.values():
        check(item, depth + 1)
    if isinstance(value, dict) and not all(re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name) for name in value):
        raise Refused("malformed")


def canonical(value):
    # Member names of the subset are ASCII, so that every language sorts them alike.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def parse(text):
    if len(text.encode("utf-8", "surrogatepass")) > BYTES_MAX:
        raise Refused("too-large")
    try:
        value = json.loads(text, parse_float=number, parse_int=number, parse_constant=never)
    except ValueError:
        raise Refused("malformed") from None
    check(value)
    if canonical(value) != text:
        raise Refused("not-canonical")
    return value


def digest(value):
    return "sha256:" + hashlib.sha256(canonical(value).encode()).hexdigest()


def base64url(text):
    import base64

    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return raw if spelled(raw) == text else None


def spelled(raw):
    import base64

    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def instant(text):
    from datetime import datetime, timezone

    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text or "", re.ASCII):
        return None
    try:
        at = datetime.strptime(text[:-1] + "000", "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return round((at - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds() * 1000)


# --- shapes -----------------------------------------------------------------------------------------------------------

TEXT = r"(?s).{1,2000}"
STATEMENT = {
    "type": r"countersign\.decision\.v1",
    "instance": r"[0-9a-f]{32}",
    "gateId": r"provision/[a-z0-9][a-z0-9-]{0,62}:[a-z][a-z-]{0,40}:[1-9][0-9]{0,5}",
    "actionDigest": r"sha256:[0-9a-f]{64}",
    "decision": "approve|reject|withdraw",
    "approver": r"p_[a-z0-9][a-z0-9_-]{0,62}",
    "keyId": r"[A-Za-z0-9_-]{43}",
    "surface": "inbox|cli|offline",
    "decidedAt": None,
    "reason": TEXT,
}
B64 = r"[A-Za-z0-9_-]{1,2000}"
SIGNATURES = {
    "ed25519": {"kind": "ed25519", "value": r"[A-Za-z0-9_-]{86}"},
    "webauthn": {
        "kind": "webauthn",
        "credentialId": B64,
        "clientDataJSON": B64,
        "authenticatorData": B64,
        "signature": B64,
        "userHandle": B64,
    },
}


def shaped(value, members, optional):
    if not isinstance(value, dict) or set(value) - set(members):
        raise Refused("malformed")
    for name, pattern in members.items():
        if name not in value:
            if name in optional:
                continue
            raise Refused("malformed")
        member = value[name]
        if not isinstance(member, str):
            raise Refused("malformed")
        if instant(member) is None if pattern is None else not re.fullmatch(pattern, member, re.ASCII):
            raise Refused("malformed")


REVOCATION = {
    "type": r"countersign\.revoke\.v1",
    "instance": STATEMENT["instance"],
    "revokes": STATEMENT["keyId"],
    "as": "retired|compromised",
    "since": None,
    "by": STATEMENT["approver"],
    "keyId": STATEMENT["keyId"],
    "reason": TEXT,
    "at": None,
}


def read(message, name="countersign.decision.v1", members=STATEMENT, optional=("reason",)):
    value = parse(message)
    if not isinstance(value, dict):
        raise Refused("malformed")
    statement = {name: member for name, member in value.items() if name != "signature"}
    kind = statement.get("type")
    if isinstance(kind, str) and kind != name:
        raise Refused("type-mismatch")
    shaped(statement, members, optional)
    signature = value.get("signature")
    if signature is not None:
        members = SIGNATURES.get(signature.get("kind") if isinstance(signature, dict) else None)
        if members is None:
            raise Refused("malformed")
        shaped(signature, members, {"userHandle"})
    return statement, signature


# --- Ed25519 by the strict reading of RFC 8032 ------------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
IDENTITY = (0, 1)


def add(one, other):
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2 % P
    return (
        (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P,
    )


def times(scalar, point, plus=add, zero=IDENTITY):
    result = zero
    while scalar:
        if scalar & 1:
            result = plus(result, point)
        point = plus(point, point)
        scalar >>= 1
    return result


def decode_point(raw):
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    return (P - x if x % 2 != sign else x), y


BASE = decode_point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def sound(point):
    return point is not None and point != IDENTITY and times(L, point) == IDENTITY


def ed25519(raw, message, signature):
    key = decode_point(raw)
    if len(signature) != 64 or not sound(key):
        return False
    r, s = decode_point(signature[:32]), int.from_bytes(signature[32:], "little")
    if r is None or s >= L or times(L, r) != IDENTITY:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + raw + message).digest(), "little") % L
    return times(s, BASE) == add(r, times(h, key))


# --- P-256 and RSA: what passkeys sign with ---------------------------------------------------------------------------

Q = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def plus256(one, other):
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % Q == 0:
        return None
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, Q) if one == other else (y2 - y1) * pow(x2 - x1, -1, Q)
    x = (slope * slope - x1 - x2) % Q
    return x, (slope * (x1 - x) - y1) % Q


def der_integers(raw):
    """r and s of an ECDSA signature, strictly: the shortest form, nothing behind it."""
    if len(raw) < 8 or raw[0] != 0x30 or raw[1] != len(raw) - 2:
        return None
    numbers, rest = [], raw[2:]
    while rest:
        if len(rest) < 3 or rest[0] != 2 or len(rest) < 2 + rest[1] or rest[1] == 0:
            return None
        body, rest = rest[2 : 2 + rest[1]], rest[2 + rest[1] :]
        if body[0] & 0x80 or (len(body) > 1 and body[0] == 0 and not body[1] & 0x80):
            return None
        numbers.append(int.from_bytes(body, "big"))
    return numbers if len(numbers) == 2 else None


def p256(point, message, signature):
    numbers = der_integers(signature)
    if numbers is None or not all(0 < one < N for one in numbers):
        return False
    r, s = numbers
    key = int.from_bytes(point[1:33], "big"), int.from_bytes(point[33:], "big")
    e, w = int.from_bytes(hashlib.sha256(message).digest(), "big"), pow(s, -1, N)
    found = plus256(times(e * w % N, G, plus256, None), times(r * w % N, key, plus256, None))
    return found is not None and found[0] % N == r


def on_p256(point):
    x, y = int.from_bytes(point[1:33], "big"), int.from_bytes(point[33:], "big")
    return point[0] == 4 and x < Q and y < Q and (y * y - x * x * x + 3 * x - B) % Q == 0


def rsa(spki, message, signature):
    # SubjectPublicKeyInfo of 2,048 bits and exponent 65,537: its prefix is always the same.
    modulus = int.from_bytes(spki[33:-5], "big")
    if len(signature) != 256 or int.from_bytes(signature, "big") >= modulus:
        return False
    info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(message).digest()
    wanted = b"\x00\x01" + b"\xff" * (256 - 3 - len(info)) + b"\x00" + info
    return pow(int.from_bytes(signature, "big"), 65_537, modulus).to_bytes(256, "big") == wanted


ED_SPKI = bytes.fromhex("302a300506032b6570032100")
P256_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
RSA_SPKI = bytes.fromhex("30820122300d06092a864886f70d01010105000382010f003082010a0282010100")


def verifier(record):
    """How the key of a row checks a message; None for a row that is not believed."""
    algorithm, raw = record.get("algorithm", "ed25519"), base64url(record["publicKey"])
    if raw is None:
        return None
    spki = ED_SPKI + raw if algorithm == "ed25519" else raw
    if spelled(hashlib.sha256(spki).digest()) != record["keyId"]:
        return None
    if algorithm in ("ed25519", "EdDSA"):
        key = spki[len(ED_SPKI) :]
        if not spki.startswith(ED_SPKI) or len(key) != 32 or not sound(decode_point(key)):
            return None
        return lambda message, signature: ed25519(key, message, signature)
    if algorithm == "ES256":
        point = spki[len(P256_SPKI) :]
        if not spki.startswith(P256_SPKI) or len(point) != 65 or not on_p256(point):
            return None
        return lambda message, signature: p256(point, message, signature)
    if algorithm == "RS256" and spki.startswith(RSA_SPKI):
        return lambda message, signature: rsa(spki, message, signature)
    return None


# --- a passkey's assertion --------------------------------------------------------------------------------------------


def assertion(statement, signature, record, verify, party):
    parts = [base64url(signature[name]) for name in ("clientDataJSON", "authenticatorData", "signature")]
    if any(part is None for part in parts):
        raise Refused("webauthn-malformed")
    client_raw, device, raw = parts
    try:
        client = json.loads(client_raw.decode("utf-8"))
    except ValueError:
        client = None
    flags = device[32] if len(device) > 32 else 0
    if not isinstance(client, dict) or len(device) < 37 or (len(device) > 37 and not flags & 0xC0):
        raise Refused("webauthn-malformed")
    passkey = record.get("passkey") or {}
    challenge = spelled(hashlib.sha256(canonical(statement).encode()).digest())
    signed = device + hashlib.sha256(client_raw).digest()
    for holds, reason in (
        (client.get("type") == "webauthn.get", "type"),
        (client.get("challenge") == challenge, "challenge"),
        (client.get("origin") in party["origins"], "origin"),
        (client.get("crossOrigin", False) is False and "topOrigin" not in client, "cross-origin"),
        (device[:32] == hashlib.sha256(party["rpId"].encode()).digest(), "rp-id"),
        (flags & 0x01, "user-presence"),
        (flags & 0x04, "user-verification"),
        (flags & 0x08 or not flags & 0x10, "backup-flags"),
        (passkey.get("credentialId") == signature["credentialId"], "credential"),
        (passkey.get("rpId") == party["rpId"], "rp-id"),
        (signature.get("userHandle", passkey.get("handle")) == passkey.get("handle"), "user-handle"),
        (verify(signed, raw), "signature"),
        (bool(flags & 0x08) == passkey.get("backupEligible"), "backup-flags"),
    ):
        if not holds:
            raise Refused("webauthn-" + reason)
    return int.from_bytes(device[33:37], "big")


# --- accepting --------------------------------------------------------------------------------------------------------


def accept(case, facts):
    statement, signature = read(case["message"])
    now = case.get("nowMs", facts["nowMs"])
    policy = {**facts["policy"], **case.get("policy", {})}
    gate = next((g for g in facts["gates"] if g["document"]["gateId"] == statement["gateId"]), None)
    at_gate(statement, gate, case.get("state", "open"), facts["instance"], now)

    record, counter = signed(statement, signature, statement["approver"], facts, now)
    several = sum(place["count"] for place in gate["document"]["rule"]["allOf"]) > 1
    if several and policy.get("keys", {}).get("deviceBound") == "several-persons":
        if counter is None or record["passkey"]["backupEligible"]:
            raise Refused("webauthn-device-bound")
    follows(counter, record)
    who(statement, gate, case, facts, policy)
    decided, opened = instant(statement["decidedAt"]), instant(gate["document"]["openedAt"])
    if not opened - SKEW_MS <= decided <= now + SKEW_MS:
        raise Refused("clock-skew")


def signed(statement, signature, person, facts, now):
    """The key that has signed and, of a passkey, the counter that it showed."""
    if signature is None:
        raise Refused("unsigned")
    record = next((k for k in facts["keys"] if k["keyId"] == statement["keyId"]), None)
    verify = record and verifier(record)
    if not verify:
        raise Refused("key-unknown")
    if record["revoked"]:
        raise Refused("key-revoked")
    if now < record["activeFromMs"]:
        raise Refused("key-not-yet-active")
    if record["person"] != person:
        raise Refused("key-not-of-approver")
    passkey = record.get("algorithm", "ed25519") != "ed25519"
    if signature["kind"] == "webauthn":
        return record, assertion(statement, signature, record, verify, facts["relyingParty"])
    value = base64url(signature["value"])
    if passkey or value is None or not verify(canonical(statement).encode(), value):
        raise Refused("signature-bad")
    return record, None


def follows(counter, record):
    stored = record["passkey"]["counter"] if counter is not None else None
    if counter is not None and not (counter == stored == 0 or counter > stored):
        raise Refused("webauthn-counter")


def at_gate(statement, gate, state, instance, now):
    if statement["instance"] != instance:
        raise Refused("instance-mismatch")
    if gate is None:
        raise Refused("gate-unknown")
    if state == "expired":
        raise Refused("gate-expired")
    if state != "open" and not (statement["decision"] == "withdraw" and state == "granted"):
        raise Refused("gate-closed")
    if now >= instant(gate["document"]["expiresAt"]):
        raise Refused("gate-expired")
    if digest(gate["document"]) != gate["digest"] or statement["actionDigest"] != gate["digest"]:
        raise Refused("digest-mismatch")


def who(statement, gate, case, facts, policy):
    approver, roles = statement["approver"], facts["roles"]
    person = next((p for p in facts["persons"] if p["person"] == approver), None)
    if person is None or person["kind"] != "human" or not person["active"]:
        raise Refused("not-human")
    counted = case.get("counted", [])
    if statement["decision"] == "withdraw":
        if approver not in counted:
            raise Refused("nothing-to-withdraw")
        if case.get("used"):
            raise Refused("already-used")
        return
    listed = approver in gate["document"]["excluded"]
    if listed or not policy["solo"]:
        for role in ("requester", "agent", "owner"):
            if approver == roles[role]:
                raise Refused("excluded-" + role)
    if listed:
        raise Refused("excluded-owner")
    groups = groups_of(person, policy)
    if not any(place["group"] in groups for place in gate["document"]["rule"]["allOf"]):
        raise Refused("not-in-group")
    if statement["decision"] == "approve" and approver in counted:
        raise Refused("person-already-counted")
    withdrawn = case.get("withdrawnAtMs")
    if statement["decision"] == "approve" and withdrawn is not None:
        if instant(statement["decidedAt"]) <= withdrawn:
            raise Refused("withdrawn")


def groups_of(person, policy):
    listed = {group["name"] for group in policy["groups"] if person["person"] in group["persons"]}
    return set(person["groups"]) | listed


# --- revoking a key ---------------------------------------------------------------------------------------------------


def revoke(case, facts):
    message = case["message"]
    statement, signature = read(message, "countersign.revoke.v1", REVOCATION, ("since",))
    if signature is None:
        raise Refused("unsigned")
    since = statement.get("since")
    if since is not None and (statement["as"] == "retired" or since > statement["at"]):
        raise Refused("malformed")
    if statement["instance"] != facts["instance"]:
        raise Refused("instance-mismatch")
    now, by = case.get("nowMs", facts["nowMs"]), statement["by"]
    record, counter = signed(statement, signature, by, facts, now)
    follows(counter, record)
    person = next((p for p in facts["persons"] if p["person"] == by), None)
    if person is None or person["kind"] != "human" or not person["active"]:
        raise Refused("not-human")
    ended = next((k for k in facts["keys"] if k["keyId"] == statement["revokes"]), None)
    own = ended is not None and ended["person"] == by
    root = statement["keyId"] in facts["rootKeys"]
    if not own and not root and not groups_of(person, facts["policy"]) & set(facts["administrators"]):
        raise Refused("not-in-group")
    if instant(statement["at"]) > now + SKEW_MS:
        raise Refused("clock-skew")
    if ended is None:
        raise Refused("nothing-to-revoke")
    # What was retired may still turn out to be lost; either word is said once.
    retired = ended.get("retiredAtMs") is not None
    if ended["revoked"] and not (retired and statement["as"] == "compromised"):
        raise Refused("revoked-already")


JUDGES = {"decisions": accept, "revocations": revoke}


def main(file):
    with open(file, encoding="utf-8") as handle:
        vectors = json.load(handle)
    verdicts = {}
    for case in vectors["cases"]:
        try:
            JUDGES[vectors["about"]](case, vectors["facts"])
            verdicts[case["name"]] = "accepted"
        except Refused as refused:
            verdicts[case["name"]] = str(refused)
    json.dump(verdicts, sys.stdout, ensure_ascii=True, indent=1)


if __name__ == "__main__":
    main(sys.argv[1])
