-- How the service was used in a month, by the accounts of a region: about nobody. It is made once, with its noise, which
-- asking again must not average away.
CREATE TABLE statistics (
    -- Empty for accounts of every region.
    region TEXT NOT NULL,
    month TEXT NOT NULL,
    -- JSON: histograms, as they are shown.
    document TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    PRIMARY KEY (region, month)
) STRICT;
