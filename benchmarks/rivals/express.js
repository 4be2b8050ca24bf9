// An app behind express-openid-connect, which keeps its session in cookies: node express.js '{"port": ..., ...}'
const express = require("express");
const { auth } = require("express-openid-connect");

const { port, issuer, clientID, clientSecret, secret, alg, scope } = JSON.parse(process.argv[2]);
const app = express();

app.use(
  auth({
    issuerBaseURL: issuer,
    baseURL: `http://localhost:${port}`,
    clientID,
    clientSecret,
    secret,
    idTokenSigningAlg: alg,
    authorizationParams: { response_type: "code", scope },
  }),
);
app.get("/", (request, response) => response.send("ok"));
app.listen(port, "127.0.0.1");
