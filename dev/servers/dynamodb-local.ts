import { execFile } from 'node:child_process';
import { access, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder, installOnce } from './cache.ts';
import { startChild, type Child } from './child.ts';

const VERSION = '2.6.1';
const MAVEN_TIMEOUT_MS = 10 * 60_000;
/** It lives for seconds: at its full optimisation the JVM spends more on compiling than it saves. */
const JVM_OPTIONS = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
const MAIN_CLASS = 'com.amazonaws.services.dynamodbv2.local.main.ServerRunner';

interface Installation {
  folder: string;
  classPath: string;
  /** The folder of sqlite4java's native library. */
  libraryPath: string;
}

/**
 * Starts AWS's DynamoDB Local, a Java program, from `DYNAMODB_LOCAL_HOME` or downloaded once with Maven. It may not yet
 * answer when this resolves.
 *
 * It has no option for its listening address: unlike all other servers here, it listens on every interface.
 */
export async function startDynamoDbLocal(port: number): Promise<Child> {
  const { folder, classPath, libraryPath } = await findDynamoDbLocal();
  const args = [...JVM_OPTIONS, `-Djava.library.path=${libraryPath}`, '-cp', classPath, MAIN_CLASS];
  const settings = ['-inMemory', '-sharedDb', '-disableTelemetry', '-port', String(port)];
  try {
    return await startChild('java', [...args, ...settings], { cwd: folder });
  } catch (error) {
    throw new Error('DynamoDB Local needs Java 17 or newer on PATH; DYNAMODB=dynalite does without', { cause: error });
  }
}

async function findDynamoDbLocal(): Promise<Installation> {
  const home = process.env['DYNAMODB_LOCAL_HOME'];
  if (home) {
    const [jar, libraryPath] = [join(home, 'DynamoDBLocal.jar'), join(home, 'DynamoDBLocal_lib')];
    await Promise.all([jar, libraryPath].map((path) => access(path))).catch((error: unknown) => {
      throw new Error(`DYNAMODB_LOCAL_HOME is "${home}", which lacks DynamoDBLocal.jar or DynamoDBLocal_lib`, {
        cause: error,
      });
    });
    return { folder: home, classPath: [jar, join(libraryPath, '*')].join(delimiter), libraryPath };
  }
  const folder = await installOnce(`dynamodb-local-${VERSION}`, downloadWithMaven);
  return { folder, classPath: join(folder, '*'), libraryPath: folder };
}

async function downloadWithMaven(folder: string): Promise<void> {
  process.stderr.write(`downloading DynamoDB Local with Maven (once; kept in ${cacheFolder()})\n`);
  const pom = join(folder, 'pom.xml');
  await writeFile(pom, POM);
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${folder}`];
  try {
    await promisify(execFile)('mvn', ['-q', '-B', '-f', pom, ...goal], { timeout: MAVEN_TIMEOUT_MS });
  } catch (error) {
    const { stdout, message } = error as Error & { stdout?: string };
    throw new Error(
      `DynamoDB Local ${VERSION} could not be got with Maven: ${(stdout || message).trim().slice(0, 1_000)}\n` +
        'Set DYNAMODB_LOCAL_HOME to a folder that holds its DynamoDBLocal.jar and DynamoDBLocal_lib, or DYNAMODB=dynalite.',
      { cause: error },
    );
  }
  await rm(pom);
}

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>iam-orchestrator</groupId>
  <artifactId>dynamodb-local</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>com.amazonaws</groupId>
      <artifactId>DynamoDBLocal</artifactId>
      <version>${VERSION}</version>
    </dependency>
  </dependencies>
</project>
`;
