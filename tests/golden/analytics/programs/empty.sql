-- nothing but a comment
;
