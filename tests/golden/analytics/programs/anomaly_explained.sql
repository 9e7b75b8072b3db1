create or replace stream "PRESSURES" ("Systolic" integer, "Diastolic" integer, anomaly_score double, anomaly_explanation varchar(512));
create or replace pump "EXPLAIN_PUMP" as insert into "PRESSURES"
select stream "Systolic", "Diastolic", anomaly_score, anomaly_explanation
from table (random_cut_forest_with_explanation (
    cursor (select stream "Systolic", "Diastolic" from "SOURCE_SQL_STREAM_001"), -- the points
    100,    -- trees
    256,    -- points a tree
    100000, // decay
    1,      /* shingle */
    true)
) where anomaly_score > 2.5;
