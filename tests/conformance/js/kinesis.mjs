// Drives a server with the AWS SDK for JavaScript as it comes: HTTP/2 by prior knowledge, its own choice of protocol.
// Usage: node kinesis.mjs ENDPOINT ACCOUNT STREAM. Prints one JSON object that test_javascript.py judges.
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  PutRecordCommand,
  PutRecordsCommand,
  RegisterStreamConsumerCommand,
  DescribeStreamConsumerCommand,
  SplitShardCommand,
  SubscribeToShardCommand,
  waitUntilStreamExists,
} from "@aws-sdk/client-kinesis";

const [endpoint, accessKeyId, StreamName] = process.argv.slice(2);
const client = new KinesisClient({
  endpoint,
  region: "us-east-1",
  credentials: { accessKeyId, secretAccessKey: "secret" },
  maxAttempts: 1,
});
const text = (data) => Buffer.from(data).toString();
const seen = { handler: client.config.requestHandler.constructor.name };

async function waitFor(condition) {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("waited in vain");
}

await client.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
await waitUntilStreamExists({ client, maxWaitTime: 20, minDelay: 1, maxDelay: 1 }, { StreamName });

const put = await client.send(
  new PutRecordCommand({ StreamName, PartitionKey: "k", Data: Buffer.from("one") }),
);
const batch = await client.send(
  new PutRecordsCommand({
    StreamName,
    Records: ["two", "three"].map((data) => ({ PartitionKey: "k", Data: Buffer.from(data) })),
  }),
);
seen.failed = batch.FailedRecordCount;
seen.requestId = put.$metadata.requestId;

const { ShardIterator } = await client.send(
  new GetShardIteratorCommand({ StreamName, ShardId: put.ShardId, ShardIteratorType: "TRIM_HORIZON" }),
);
const page = await client.send(new GetRecordsCommand({ ShardIterator }));
seen.read = page.Records.map((record) => text(record.Data));
seen.arrival = page.Records[0].ApproximateArrivalTimestamp.toISOString();

const byTime = await client.send(
  new GetShardIteratorCommand({
    StreamName,
    ShardId: put.ShardId,
    ShardIteratorType: "AT_TIMESTAMP",
    Timestamp: page.Records[0].ApproximateArrivalTimestamp,
  }),
);
const again = await client.send(new GetRecordsCommand({ ShardIterator: byTime.ShardIterator }));
seen.readByTime = again.Records.length;

const summary = await client.send(new DescribeStreamSummaryCommand({ StreamName }));
const { StreamARN } = summary.StreamDescriptionSummary;
seen.created = summary.StreamDescriptionSummary.StreamCreationTimestamp.toISOString();

const { Consumer } = await client.send(
  new RegisterStreamConsumerCommand({ StreamARN, ConsumerName: "reader" }),
);
const { ConsumerARN } = Consumer;
await waitFor(async () => {
  const described = await client.send(new DescribeStreamConsumerCommand({ ConsumerARN }));
  return described.ConsumerDescription.ConsumerStatus === "ACTIVE";
});

const subscription = await client.send(
  new SubscribeToShardCommand({
    ConsumerARN,
    ShardId: put.ShardId,
    StartingPosition: { Type: "TRIM_HORIZON" },
  }),
);
seen.pushed = [];
seen.children = [];
for await (const { SubscribeToShardEvent: event } of subscription.EventStream) {
  seen.pushed.push(...event.Records.map((record) => text(record.Data)));
  if (event.Records.some((record) => text(record.Data) === "three")) {
    await client.send(new PutRecordCommand({ StreamName, PartitionKey: "k", Data: Buffer.from("four") }));
  }
  if (event.Records.some((record) => text(record.Data) === "four")) {
    await client.send(
      new SplitShardCommand({
        StreamName,
        ShardToSplit: put.ShardId,
        NewStartingHashKey: String(2n ** 127n),
      }),
    );
  }
  seen.children.push(...(event.ChildShards ?? []).map((child) => child.ShardId));
}

try {
  await client.send(new DescribeStreamSummaryCommand({ StreamName: "nowhere" }));
} catch (error) {
  seen.error = { name: error.name, message: error.message };
}
client.destroy();
console.log(JSON.stringify(seen));
