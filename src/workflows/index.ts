export { roleBuild } from './role-build.ts';
