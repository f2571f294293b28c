-- The last validation loss in bits per byte of text, which compares runs of different tokenizers.
alter table runs add column validation_bits_per_byte double precision;
