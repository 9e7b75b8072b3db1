CREATE OR REPLACE PUMP "ONBOARDING" AS INSERT INTO "OUT"
SELECT STREAM tbA."number", tbB."risk", tbC."created"
FROM "IN_001" OVER (RANGE INTERVAL '15' SECOND PRECEDING) AS tbA
JOIN "IN_001" OVER (RANGE INTERVAL '15' SECOND PRECEDING) AS tbB ON tbA."number" = tbB."number"
JOIN "IN_001" OVER (RANGE INTERVAL '15' SECOND PRECEDING) AS tbC ON tbA."number" = tbC."number"
WHERE tbA."name" = 'start' AND tbB."name" = 'risk' AND tbC."name" = 'account';
