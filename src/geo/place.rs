//! What rules see of a record: the members of GEO.

use super::country;
use super::data::{Data, Stop};

/// The names of the members, in the order of [`Place::members`].
///
/// COUNTRY_CONTINENT is the continent's English name, as libmodsecurity fills it from these databases; REGION is the name of the
/// first subdivision. AREA_CODE is always empty: the format has no such field.
pub const MEMBERS: [&str; 11] = [
    "COUNTRY_CODE",
    "COUNTRY_CODE3",
    "COUNTRY_NAME",
    "COUNTRY_CONTINENT",
    "REGION",
    "CITY",
    "POSTAL_CODE",
    "LATITUDE",
    "LONGITUDE",
    "DMA_CODE",
    "AREA_CODE",
];

/// A place: values of [`MEMBERS`], empty where the database is silent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    values: [Vec<u8>; 11],
}

impl Place {
    /// Names and values.
    pub fn members(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        MEMBERS.into_iter().zip(self.values.iter().map(Vec::as_slice))
    }

    /// Reads the record at `at`.
    pub(super) fn read(at: usize, data: &mut Data<'_, '_>) -> Result<Place, Stop> {
        let names: [&[u8]; 6] = [b"continent", b"country", b"city", b"location", b"postal", b"subdivisions"];
        let [continent, country, city, location, postal, subdivisions] = data.fields(at, names)?;
        let [code, country_names] = sub(data, country, [b"iso_code", b"names"])?;
        let [continent_names] = sub(data, continent, [b"names"])?;
        let [city_names] = sub(data, city, [b"names"])?;
        let [latitude, longitude, metro] = sub(data, location, [b"latitude", b"longitude", b"metro_code"])?;
        let [postal] = sub(data, postal, [b"code"])?;
        let region = match subdivisions {
            Some(at) => data.first(at)?,
            None => None,
        };
        let [region_names] = sub(data, region, [b"names"])?;
        let code = shown(data, code)?;
        let code3 = country::alpha3(&code).to_vec();
        Ok(Place {
            values: [
                code,
                code3,
                english(data, country_names)?,
                english(data, continent_names)?,
                english(data, region_names)?,
                english(data, city_names)?,
                shown(data, postal)?,
                shown(data, latitude)?,
                shown(data, longitude)?,
                shown(data, metro)?,
                Vec::new(),
            ],
        })
    }
}

fn sub<const N: usize>(
    data: &mut Data<'_, '_>,
    at: Option<usize>,
    names: [&[u8]; N],
) -> Result<[Option<usize>; N], Stop> {
    at.map_or(Ok([None; N]), |at| data.fields(at, names))
}

fn english(data: &mut Data<'_, '_>, names: Option<usize>) -> Result<Vec<u8>, Stop> {
    let [name] = sub(data, names, [b"en"])?;
    shown(data, name)
}

fn shown(data: &mut Data<'_, '_>, at: Option<usize>) -> Result<Vec<u8>, Stop> {
    match at {
        Some(at) => Ok(data.shown(at)?.unwrap_or_default()),
        None => Ok(Vec::new()),
    }
}
