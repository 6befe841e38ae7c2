import './stack-traces.ts';

export { roleBuild } from './role-build.ts';
