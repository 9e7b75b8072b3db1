-- first
/* a block; with 'quotes " and -- dashes */
SELECT /* inside */ STREAM a -- it's fine
     , b // also "fine
FROM s; /**/
-- last
