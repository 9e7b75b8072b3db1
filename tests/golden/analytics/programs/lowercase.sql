create or replace stream destination (a int); create or replace pump pump_ as insert into destination select stream a from source_001 where a is not null;
