-- How the service was used in a month, by the accounts of a region: about nobody. It is made once, with its noise, which
-- asking again must not average away.
CREATE TABLE statistics (
    -- Empty for accounts of every region.
    region text COLLATE "C" NOT NULL,
    month text COLLATE "C" NOT NULL,
    -- JSON: histograms, as they are shown.
    document text COLLATE "C" NOT NULL,
    made_at bigint NOT NULL,
    PRIMARY KEY (region, month)
);
