"""What the bridge knows, and every statement that asks for it or changes it."""

import secrets

from sqlalchemy import and_, delete, exists, func, insert, or_, select, update

from .database import Database
from .refusal import Refusal
from .tables import (
    accounts, bucket_keys, buckets, file_shards, files, keys, registrations, seen, shard_tokens, shards, tokens,
    windows,
)

GIGABYTE = 10**9
MAX_TEXTS = 100_000  # signed texts kept for one key
EMAIL_TAKEN = "Email is already registered"
KEY_TAKEN = "Public key is already registered"


class Metadata:
    """The bridge's memory.  Each method is one transaction; times are milliseconds since the epoch."""

    def __init__(self, url):
        self._database = Database(url)

    def close(self):
        self._database.close()

    # Accounts

    def account(self, email: str):
        with self._database.read() as db:
            return db.execute(select(accounts).where(accounts.c.email == email)).mappings().first()

    def register(self, account: dict, registration: dict, key: dict | None):
        """
        Keep a registration until its link is followed.

        :returns: whether it is the first of its e-mail.
        :raises Refusal: the e-mail belongs to somebody already, or the key does.
        """
        email, token = account["email"], registration["token"]
        with self._database.write() as db:
            known = db.execute(select(accounts).where(accounts.c.email == email)).mappings().first()
            if known and known["activated"]:
                raise Refusal(400, EMAIL_TAKEN)
            if not known:
                db.execute(insert(accounts).values(activated=False, **account))
            db.execute(insert(registrations).values(email=email, **registration))
            if key is not None:
                # One that waits with an earlier registration of this e-mail waits with this one from now on.
                db.execute(delete(keys).where(
                    keys.c.point == key["point"], keys.c.email == email, keys.c.registration.is_not(None)
                ))
                if self._taken(db, key["point"]):
                    raise Refusal(400, KEY_TAKEN)
                db.execute(insert(keys).values(email=email, proved=False, registration=token, **key))
            return not known

    def activate(self, token: str):
        """
        Let the registration with this token decide, and the others of its e-mail lapse.

        :returns: the account's row, and where the registration asked to go.
        """
        with self._database.write() as db:
            chosen = db.execute(select(registrations).where(registrations.c.token == token)).mappings().first()
            if chosen is None:
                raise Refusal(400, "Invalid activation token")
            email = chosen["email"]
            db.execute(update(accounts).where(accounts.c.email == email)
                       .values(activated=True, password=chosen["password"]))
            db.execute(update(keys).where(keys.c.registration == token).values(registration=None))
            db.execute(delete(registrations).where(registrations.c.email == email))
            account = db.execute(select(accounts).where(accounts.c.email == email)).mappings().one()
            return account, chosen["redirect"]

    # Keys

    def key(self, point: str):
        """Return the key's row with its account's ``activated``, or None."""
        query = select(keys, accounts.c.activated).select_from(keys.join(accounts)).where(keys.c.point == point)
        with self._database.read() as db:
            return db.execute(query).mappings().first()

    def keys(self, email: str):
        with self._database.read() as db:
            return db.execute(select(keys).where(keys.c.email == email).order_by(keys.c.id)).mappings().all()

    def add_key(self, email: str, point: str, text: str, proved: bool):
        with self._database.write() as db:
            unproved = and_(keys.c.point == point, keys.c.proved.is_(False))
            if proved:  # whoever registered it without holding it has to give way
                db.execute(delete(keys).where(unproved, keys.c.email != email))
                db.execute(update(keys).where(unproved).values(proved=True))
            if not self._taken(db, point):
                db.execute(insert(keys).values(email=email, point=point, text=text, proved=proved))
                return
        raise Refusal(400, KEY_TAKEN)

    def delete_key(self, email: str, text: str):
        """Forget a key and take all its power away."""
        with self._database.write() as db:
            point = db.execute(
                delete(keys).where(keys.c.email == email, keys.c.text == text).returning(keys.c.point)
            ).scalar()
            if point is None:
                raise Refusal(404, "Public key was not found")
            own = select(buckets.c.id).where(buckets.c.email == email)
            db.execute(delete(bucket_keys).where(bucket_keys.c.point == point, bucket_keys.c.bucket.in_(own)))
            db.execute(delete(tokens).where(tokens.c.point == point))

    @staticmethod
    def _taken(db, point):
        return db.execute(select(exists().where(keys.c.point == point))).scalar()

    # Nonces

    def see(self, point: str, nonce: float, text: str, window: float, ceiling: float):
        """
        Let a signed text through once.

        :param text: SHA-256 of what was signed.
        :returns: None when it passes, else the highest nonce of the key so far, which is 0 at first.
        """
        with self._database.write() as db:
            # The row is written before anything is read: that locks it, also on PostgreSQL.
            db.execute(update(windows).where(windows.c.point == point).values(texts=windows.c.texts))
            row = db.execute(select(windows).where(windows.c.point == point)).mappings().first()
            known = row or {"highest": 0.0, "floor": -1.0, "texts": 0}
            again = select(exists().where(seen.c.point == point, seen.c.text == text))
            if nonce <= known["floor"] or nonce > ceiling or db.execute(again).scalar():
                return known["highest"]
            if row is None:
                db.execute(insert(windows).values(point=point, **known))
            db.execute(insert(seen).values(point=point, text=text, nonce=nonce))
            highest = max(known["highest"], nonce)
            db.execute(update(windows).where(windows.c.point == point).values(
                **self._narrowed(db, point, highest, max(known["floor"], highest - window), known["texts"] + 1)
            ))

    def highest_nonce(self, point: str) -> float:
        with self._database.read() as db:
            return db.execute(select(windows.c.highest).where(windows.c.point == point)).scalar() or 0.0

    @staticmethod
    def _narrowed(db, point, highest, floor, texts):
        """Forget the texts at or below the floor, and so many of the oldest that the rest is bounded."""
        if texts > MAX_TEXTS:
            oldest = select(seen.c.nonce).where(seen.c.point == point).order_by(seen.c.nonce)
            floor = max(floor, db.execute(oldest.offset(MAX_TEXTS // 10).limit(1)).scalar())
        gone = db.execute(delete(seen).where(seen.c.point == point, seen.c.nonce <= floor)).rowcount
        return {"highest": highest, "floor": floor, "texts": texts - gone}

    # Buckets

    def buckets(self, email: str):
        with self._database.read() as db:
            rows = db.execute(select(buckets).where(buckets.c.email == email).order_by(buckets.c.number)).mappings()
            return [self._with_keys(db, row) for row in rows.all()]

    def bucket(self, bucket_id: str, email: str | None = None):
        """Return a bucket with its ``pubkeys``; another account's is as good as none."""
        with self._database.read() as db:
            return self._with_keys(db, self._bucket(db, bucket_id, email))

    def add_bucket(self, email: str, created: int, fields: dict, points: dict[str, str]):
        """*points* maps each public key, as written, to its point."""
        bucket_id = secrets.token_hex(12)
        with self._database.write() as db:
            db.execute(insert(buckets).values(id=bucket_id, email=email, created=created, **fields))
            self._set_keys(db, bucket_id, points)
            return self._with_keys(db, self._bucket(db, bucket_id, email))

    def change_bucket(self, email: str, bucket_id: str, fields: dict, points: dict[str, str] | None):
        with self._database.write() as db:
            self._bucket(db, bucket_id, email)
            if fields:
                db.execute(update(buckets).where(buckets.c.id == bucket_id).values(**fields))
            if points is not None:
                self._set_keys(db, bucket_id, points)
            return self._with_keys(db, self._bucket(db, bucket_id, email))

    def delete_bucket(self, email: str, bucket_id: str):
        """Returns the objects that nothing holds any more."""
        with self._database.write() as db:
            self._bucket(db, bucket_id, email)
            held = self._held(db, files.c.bucket == bucket_id)
            db.execute(delete(buckets).where(buckets.c.id == bucket_id))
            return self._freed(db, held)

    @staticmethod
    def _bucket(db, bucket_id, email=None):
        query = select(buckets).where(buckets.c.id == bucket_id)
        if email is not None:
            query = query.where(buckets.c.email == email)
        row = db.execute(query).mappings().first()
        if row is None:
            raise Refusal(404, "Bucket not found")
        return row

    @staticmethod
    def _with_keys(db, row):
        query = select(bucket_keys.c.text, bucket_keys.c.point).where(bucket_keys.c.bucket == row["id"])
        points = dict(db.execute(query.order_by(bucket_keys.c.position)).all())
        return {**row, "pubkeys": list(points), "points": points}

    @staticmethod
    def _set_keys(db, bucket_id, points):
        db.execute(delete(bucket_keys).where(bucket_keys.c.bucket == bucket_id))
        rows = [
            {"bucket": bucket_id, "position": position, "text": text, "point": point}
            for position, (text, point) in enumerate(points.items())
        ]
        if rows:
            db.execute(insert(bucket_keys), rows)

    # Tokens

    def add_token(self, token: dict, now: int):
        with self._database.write() as db:
            self._bucket(db, token["bucket"])
            db.execute(delete(tokens).where(tokens.c.expires <= now))
            db.execute(insert(tokens).values(**token))

    def spend_token(self, token: str, now: int):
        """Return the token's row, once."""
        with self._database.write() as db:
            spent = delete(tokens).where(tokens.c.hash == token, tokens.c.expires > now).returning(tokens)
            return db.execute(spent).mappings().first()

    # Files

    def files(self, email: str, bucket_id: str):
        with self._database.read() as db:
            self._bucket(db, bucket_id, email)
            query = select(files).where(files.c.bucket == bucket_id).order_by(files.c.id)
            return db.execute(query).mappings().all()

    def check_room(self, bucket_id: str, size: int):
        with self._database.read() as db:
            self._check_room(db, bucket_id, size)

    def add_file(self, file: dict, pieces: list[dict]):
        """
        Enter a file whose shards are in the store.

        :param pieces: the rows of its shards, in order.
        :returns: the objects that are not needed, since their content was there already.
        """
        bucket_id = file["bucket"]
        with self._database.write() as db:
            known = db.execute(
                update(files).where(files.c.bucket == bucket_id, files.c.hash == file["hash"])
                .values(filename=file["filename"], mimetype=file["mimetype"])
            ).rowcount
            if known:
                return [piece["object"] for piece in pieces]
            self._check_room(db, bucket_id, file["size"])
            file_id = db.execute(insert(files).values(**file)).inserted_primary_key[0]
            held = [self._hold(db, piece) for piece in pieces]
            rows = [{"file": file_id, "position": at, "shard": shard["id"]} for at, shard in enumerate(held)]
            if rows:
                db.execute(insert(file_shards), rows)
            return [piece["object"] for piece, shard in zip(pieces, held) if piece["object"] != shard["object"]]

    def delete_file(self, email: str, bucket_id: str, file_hash: str):
        """Returns the objects that nothing holds any more."""
        with self._database.write() as db:
            self._bucket(db, bucket_id, email)
            this = and_(files.c.bucket == bucket_id, files.c.hash == file_hash)
            held = self._held(db, this)
            if not db.execute(delete(files).where(this)).rowcount:
                raise Refusal(404, "File not found")
            return self._freed(db, held)

    def _check_room(self, db, bucket_id, size):
        bucket = self._bucket(db, bucket_id)
        used = db.execute(select(func.coalesce(func.sum(files.c.size), 0)).where(files.c.bucket == bucket_id)).scalar()
        room = int(bucket["storage"] * GIGABYTE)
        if used + size > room:
            raise Refusal(413, f"Bucket storage exceeded: {size} bytes do not fit beside {used} of {room}")

    @staticmethod
    def _hold(db, piece):
        """Return the row of the shard with this content, the one that is there already or a new one."""
        same = and_(shards.c.sha256 == piece["sha256"], shards.c.size == piece["size"])
        row = db.execute(select(shards).where(same)).mappings().first()
        return row or db.execute(insert(shards).values(**piece).returning(shards)).mappings().one()

    @staticmethod
    def _held(db, which):
        query = select(file_shards.c.shard).select_from(file_shards.join(files)).where(which).distinct()
        return db.execute(query).scalars().all()

    @staticmethod
    def _freed(db, held):
        unheld = ~exists().where(file_shards.c.shard == shards.c.id)
        freed = []
        for start in range(0, len(held), 500):  # a statement has room for so many values
            these = shards.c.id.in_(held[start:start + 500])
            freed += db.execute(delete(shards).where(these, unheld).returning(shards.c.object)).scalars()
        return freed

    # Shards

    def hand_out(self, bucket_id: str, file_hash: str, make_token, now: int):
        """
        Give each shard of a file a token, if the bucket's transfer allows for the file.

        :param make_token: returns hash, uses left and expiry of a new token.
        :returns: the rows of the shards, in order.
        """
        query = (
            select(shards).select_from(shards.join(file_shards).join(files))
            .where(files.c.bucket == bucket_id, files.c.hash == file_hash).order_by(file_shards.c.position)
        )
        with self._database.write() as db:
            bucket = self._bucket(db, bucket_id)
            size = db.execute(
                select(files.c.size).where(files.c.bucket == bucket_id, files.c.hash == file_hash)
            ).scalar()
            if size is None:
                raise Refusal(404, "The requested file was not found")
            used, room = bucket["transferred"], int(bucket["transfer"] * GIGABYTE)
            if used + size > room:
                raise Refusal(403, f"Bucket transfer exceeded: {size} bytes do not fit beside {used} of {room}")
            db.execute(delete(shard_tokens).where(or_(shard_tokens.c.expires <= now, shard_tokens.c.left <= 0)))
            held = db.execute(query).mappings().all()
            rows = [{"shard": shard["id"], "bucket": bucket_id, **make_token()} for shard in held]
            if rows:
                db.execute(insert(shard_tokens), rows)
            return held

    def spend_shard_token(self, token: str, shard_hash: str, now: int):
        """Use a shard token once more, charge its bucket's transfer, and return the shard's row."""
        live = and_(shard_tokens.c.hash == token, shard_tokens.c.left > 0, shard_tokens.c.expires > now)
        with self._database.write() as db:
            query = select(shards, shard_tokens.c.bucket).select_from(shards.join(shard_tokens)).where(live)
            shard = db.execute(query).mappings().first()
            if shard is None:
                raise Refusal(401, "The supplied token is not accepted")
            if shard["hash"] != shard_hash:
                raise Refusal(401, "Token not valid for hash")
            db.execute(update(shard_tokens).where(live).values(left=shard_tokens.c.left - 1))
            db.execute(update(buckets).where(buckets.c.id == shard["bucket"])
                       .values(transferred=buckets.c.transferred + shard["size"]))
            return shard
