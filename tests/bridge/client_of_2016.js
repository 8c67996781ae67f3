// Lets the Node client of 2016 talk with a bridge, and prints what each call gave, as JSON.
// Usage: node client_of_2016.js MODULE URL EMAIL            registers an account
//        node client_of_2016.js MODULE URL EMAIL FILE       uses it, once it is activated

const [location, url, email, file] = process.argv.slice(2);
const metadisk = require(location);
const password = 'a password of 2016';
const given = {};

async function note(name, call) {
  try {
    given[name] = await call;
  } catch (error) {
    given[name] = {failed: error.message};
  }
  return given[name];
}

// The client cannot read an empty body: of a 200 it makes nothing, over a 204 it throws where nobody can catch it.
function deletion(call) {
  return new Promise((resolve, reject) => {
    process.once('uncaughtException', () => resolve('empty'));
    call().then((answer) => resolve(answer || 'empty'), reject);
  });
}

async function register() {
  const nobody = new metadisk.Client(url);
  await note('info', nobody.getInfo());
  await note('registered', nobody.createUser(email, password));
}

async function use() {
  const nobody = new metadisk.Client(url);
  const basic = new metadisk.Client(url, {basicauth: {email: email, password: password}});
  const keypair = new metadisk.KeyPair();
  const signed = new metadisk.Client(url, {keypair: keypair});

  given.key = keypair.getPublicKey();
  await note('added', basic.addPublicKey(given.key));
  await note('keys', signed.getPublicKeys());

  await note('bucket of a password', basic.createBucket({name: 'made with a password'}));
  const bucket = (await note('bucket', signed.createBucket({name: 'made in 2016', storage: 5, transfer: 7}))).id;
  await note('buckets', signed.getBuckets());
  await note('updated', signed.updateBucketById(bucket, {name: 'renamed'}));
  await note('read', signed.getBucketById(bucket));

  const push = await note('push', signed.createToken(bucket, 'PUSH'));
  const stored = await note('stored', nobody.storeFileInBucket(bucket, push.token, file));
  await note('files', signed.listFilesInBucket(bucket));
  const pull = await note('pull', signed.createToken(bucket, 'PULL'));
  await note('pointers', nobody.getFilePointer(bucket, pull.token, stored.hash));
  await note('spent', nobody.getFilePointer(bucket, pull.token, stored.hash));

  await note('deleted bucket', deletion(() => signed.destroyBucketById(bucket)));
  await note('deleted key', deletion(() => signed.destroyPublicKey(given.key)));
  await note('buckets afterwards', basic.getBuckets());
  await note('keys afterwards', basic.getPublicKeys());
}

(file ? use() : register()).then(() => console.log(JSON.stringify(given)));
